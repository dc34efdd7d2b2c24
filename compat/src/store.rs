//! The Connect contract with callbacks: what express-session asks of a store.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Created, Session, Touched, Updated};

use crate::Callback;

/// A callback-style store: express-session's contract in Rust.
///
/// Each method starts the work and answers its callback once, whenever it likes and on whatever thread it likes.
/// [`promisify_store`](crate::promisify_store) makes an async [`Store`](cloakroom_core::Store) of it, whose promises it
/// should keep. What it does not have, it says: [`touch`](Self::touch) answers [`Touched::NotOffered`], and
/// [`atomic`](Self::atomic) and [`enumerate`](Self::enumerate) return `None`.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
/// use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, promisify_store};
/// use cloakroom_core::{Error, Session, Store, Touched};
///
/// /// Keeps texts in a map and answers before it returns.
/// #[derive(Default)]
/// struct Legacy(Mutex<HashMap<String, String>>);
///
/// impl CallbackStore for Legacy {
///     fn name(&self) -> &str {
///         "legacy"
///     }
///     fn get(&self, sid: &str, callback: Callback<Option<Session>>) {
///         let text = self.0.lock().unwrap().get(sid).cloned();
///         callback.answer(text.map(Session::from_json).transpose());
///     }
///     fn set(&self, sid: &str, session: &Session, callback: Callback<()>) {
///         self.0.lock().unwrap().insert(sid.to_owned(), session.to_json().into_owned());
///         callback.ok(());
///     }
///     fn destroy(&self, sid: &str, callback: Callback<()>) {
///         self.0.lock().unwrap().remove(sid);
///         callback.ok(());
///     }
///     fn touch(&self, _sid: &str, _session: &Session, callback: Callback<Touched>) {
///         callback.ok(Touched::NotOffered);
///     }
///     fn atomic(&self) -> Option<&dyn CallbackAtomic> {
///         None
///     }
///     fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
///         None
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let store = promisify_store(Legacy::default());
/// store.set("an id", &Session::new()).await?;
/// assert_eq!(store.get("an id").await?, Some(Session::new()));
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
pub trait CallbackStore: Send + Sync {
    /// The store's name in errors and reports.
    fn name(&self) -> &str;

    /// Answers with the session, or `None` if it does not exist or has expired.
    fn get(&self, sid: &str, callback: Callback<Option<Session>>);

    /// Creates or replaces the record, and answers when that is done.
    fn set(&self, sid: &str, session: &Session, callback: Callback<()>);

    /// Removes the record, and answers when that is done. It is no error if the record does not exist.
    fn destroy(&self, sid: &str, callback: Callback<()>);

    /// Moves the expiry and nothing else. A store without it answers [`Touched::NotOffered`].
    fn touch(&self, sid: &str, session: &Session, callback: Callback<Touched>);

    /// The conditional writes, or `None`. No npm store has them.
    fn atomic(&self) -> Option<&dyn CallbackAtomic>;

    /// The listing, or `None`.
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate>;
}

/// [`Atomic`](cloakroom_core::Atomic) with callbacks. What a store lacks it answers with
/// [`Callback::not_offered`].
pub trait CallbackAtomic: Send + Sync {
    /// Stores the session unless a live one has this id.
    fn create(&self, sid: &str, session: &Session, callback: Callback<Created>);

    /// Stores only where the record is still the one that `session` was read from.
    fn update(&self, sid: &str, session: &Session, callback: Callback<Updated>);

    /// Answers with the session and moves its expiry to `ttl` from now, the store's default if `None`.
    fn get_and_touch(&self, sid: &str, ttl: Option<Duration>, callback: Callback<Option<Session>>);
}

/// Connect's `all`, `length` and `clear`. What a store lacks it answers with [`Callback::not_offered`].
pub trait CallbackEnumerate: Send + Sync {
    /// Answers with all live sessions and their ids.
    fn all(&self, callback: Callback<Vec<(String, Session)>>);

    /// Answers with the number of live sessions.
    fn length(&self, callback: Callback<u64>);

    /// Removes all sessions.
    fn clear(&self, callback: Callback<()>);
}

macro_rules! pass_on {
    ($($wrapper:ty),+) => {$(
        #[deny(clippy::missing_trait_methods, reason = "a handle must pass on every promise")]
        impl<S: CallbackStore + ?Sized> CallbackStore for $wrapper {
            fn name(&self) -> &str {
                (**self).name()
            }
            fn get(&self, sid: &str, callback: Callback<Option<Session>>) {
                (**self).get(sid, callback);
            }
            fn set(&self, sid: &str, session: &Session, callback: Callback<()>) {
                (**self).set(sid, session, callback);
            }
            fn destroy(&self, sid: &str, callback: Callback<()>) {
                (**self).destroy(sid, callback);
            }
            fn touch(&self, sid: &str, session: &Session, callback: Callback<Touched>) {
                (**self).touch(sid, session, callback);
            }
            fn atomic(&self) -> Option<&dyn CallbackAtomic> {
                (**self).atomic()
            }
            fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
                (**self).enumerate()
            }
        }
    )+};
}

pass_on!(Arc<S>, Box<S>, &S);
