//! The contract that express-session calls on a store, with callbacks.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Created, Listed, SessionData, Touched, Updated};

use crate::Callback;

/// A callback-style store: express-session's contract in Rust.
///
/// Each method starts the work and answers its callback once, at any time and on any thread.
/// [`promisify_store`](crate::promisify_store) makes an async [`Store`](cloakroom_core::Store) of it, so implement the
/// methods such that they keep the promises of that trait.
///
/// If your store does not support an operation, say so: answer [`touch`](Self::touch) with [`Touched::NotOffered`], and
/// return `None` from [`atomic`](Self::atomic) and [`enumerate`](Self::enumerate).
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
/// use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, promisify_store};
/// use cloakroom_core::{Error, SessionData, Store, Touched};
///
/// /// Keeps texts in a map and answers before it returns.
/// #[derive(Default)]
/// struct Legacy(Mutex<HashMap<String, String>>);
///
/// impl CallbackStore for Legacy {
///     fn name(&self) -> &str {
///         "legacy"
///     }
///     fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
///         let text = self.0.lock().unwrap().get(sid).cloned();
///         callback.answer(text.map(SessionData::from_json).transpose());
///     }
///     fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
///         self.0.lock().unwrap().insert(sid.to_owned(), session.to_json().into_owned());
///         callback.ok(());
///     }
///     fn destroy(&self, sid: &str, callback: Callback<()>) {
///         self.0.lock().unwrap().remove(sid);
///         callback.ok(());
///     }
///     fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
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
/// store.set("an id", &SessionData::new()).await?;
/// assert_eq!(store.get("an id").await?, Some(SessionData::new()));
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
pub trait CallbackStore: Send + Sync {
    /// Returns the store's name in errors and reports.
    fn name(&self) -> &str;

    /// Answers with the session, or `None` if it does not exist or has expired.
    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>);

    /// Creates or replaces the record, then answers.
    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>);

    /// Removes the record, then answers. A record that does not exist is not an error.
    fn destroy(&self, sid: &str, callback: Callback<()>);

    /// Sets the expiry, and changes nothing else. A store without touch answers [`Touched::NotOffered`].
    fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>);

    /// Returns the conditional writes, or `None` if the store does not support them. No npm store does.
    fn atomic(&self) -> Option<&dyn CallbackAtomic>;

    /// Returns the listing, or `None` if the store does not support it.
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate>;
}

/// [`Atomic`](cloakroom_core::Atomic) with callbacks. Call [`Callback::not_offered`] for an operation that the store
/// does not support.
pub trait CallbackAtomic: Send + Sync {
    /// Stores the session only if no live session has this id.
    fn create(&self, sid: &str, session: &SessionData, callback: Callback<Created>);

    /// Stores the session only if the record has not changed since `session` was read.
    fn update(&self, sid: &str, session: &SessionData, callback: Callback<Updated>);

    /// Answers with the session and sets its expiry to `ttl` from now. `None` means the store's default. Answers `None`
    /// if no live session has this id.
    fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
        callback: Callback<Option<SessionData>>,
    );
}

/// Connect's `all`, `length` and `clear`. Call [`Callback::not_offered`] for an operation that the store does not
/// support.
pub trait CallbackEnumerate: Send + Sync {
    /// Answers with all live sessions, each with its id and the time it has left.
    fn all(&self, callback: Callback<Vec<Listed>>);

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
            fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
                (**self).get(sid, callback);
            }
            fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
                (**self).set(sid, session, callback);
            }
            fn destroy(&self, sid: &str, callback: Callback<()>) {
                (**self).destroy(sid, callback);
            }
            fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>) {
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
