//! The store.

use std::{
    fmt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use cloakroom_backend::Operation as Limits;
use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, promisify};
use cloakroom_core::{
    Clock, CookieMember, Error, ErrorKind, JsValue, LAST_DATE_MS, Listed, SessionData, Touched,
    to_iso_string,
};

use crate::{
    calls::Call,
    operation::Operation,
    reply::{Reply, too_large},
    settings::Settings,
    state::Shared,
    supervisor::supervise,
};

/// A Connect store of npm, in a Node.js child process.
///
/// It is a [`CallbackStore`], so [`promisify_store`](cloakroom_compat::promisify_store) makes an async store of it.
/// Clones share the child. It is started by the first call, and started again when it has ended, with pauses of 50 ms
/// to 2 s. It ends when the last clone is dropped, and when this process ends in any way.
///
/// The calls work on any thread, with or without a runtime, and none of them blocks. A callback is answered on a thread
/// of the store, so it must not block either. Every call ends within the store's
/// [deadline](crate::NodeStoreBuilder::deadline), or that of its caller, if it is earlier:
///
/// | the store, or its process | the call |
/// | --- | --- |
/// | calls back with an error, throws or rejects | fails with `Other`, or with `Unavailable` or `Timeout` if the error's code says so |
/// | answers twice, before its first answer was passed on | fails with `Other`; later, see [`NodeEvent::Failed`](crate::NodeEvent::Failed) |
/// | answers `get` with a string, a number or a function | fails with `Corrupt` |
/// | has no `touch` | is [`Touched::NotOffered`] |
/// | has no `all`, `length` or `clear`, lists sessions without ids, or counts in something else than a number | fails with `Unsupported` |
/// | never calls back | fails with `Timeout` at the deadline |
/// | throws outside of a call, or leaves a rejection unhandled | fails with `Unavailable` at once, as do all others: the process ends, as it does in Express |
/// | ends, or is killed | fails with `Unavailable` at once, and the next call waits for a new process |
/// | is frozen, or kept busy | fails with `Timeout` after three quarters of a deadline without a word; the process is killed |
/// | cannot be started | fails with `Config`, and says what to install |
///
/// If a write may have happened, the error has [`outcome_unknown`](Error::outcome_unknown).
/// No error has the message of an error in JavaScript, which may quote anything; it has its name and its code.
///
/// ```no_run
/// use cloakroom_compat::{ExpressSession, promisify_store};
/// use cloakroom_node::NodeStore;
///
/// # async fn example() -> Result<(), cloakroom_core::Error> {
/// let store = NodeStore::builder()
///     .folder("/srv/shop") // where `npm install connect-memcached express-session` was run
///     .module("connect-memcached")
///     .options(serde_json::json!({ "hosts": ["127.0.0.1:11211"] }))
///     .build()?;
/// store.ready().await?;
/// let sessions = ExpressSession::new(promisify_store(store));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NodeStore {
    handle: Arc<Handle>,
}

/// What all clones share. When it is dropped, the child ends.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.supervise.notify_all();
    }
}

impl NodeStore {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { handle: Arc::new(Handle(Arc::new(Shared::new(settings)))) }
    }

    /// Starts the child if it does not run, and waits until its store can be called.
    ///
    /// It works without a runtime. Call it when your program starts, to see at once what is missing.
    ///
    /// # Errors
    ///
    /// - [`Config`](ErrorKind::Config) if Node.js is missing or too old, if a package or an export is missing, or if
    ///   what the factory makes is not a store.
    /// - [`Unavailable`](ErrorKind::Unavailable) if the factory could not connect, or the process ended.
    /// - [`Timeout`](ErrorKind::Timeout) if that takes longer than the
    ///   [limit](crate::NodeStoreBuilder::start_deadline).
    pub async fn ready(&self) -> Result<(), Error> {
        let name = self.settings().name.clone();
        promisify(|callback| {
            self.call(Operation::Start, "", None, Reply::Done(callback));
        })
        .await
        .map_err(|error| error.with_context(name, Operation::Start.name()).with_outcome_known())
    }

    fn settings(&self) -> &Settings {
        &self.handle.0.settings
    }

    /// Lets a call wait to be sent, or answers it with an error.
    fn call(&self, operation: Operation, sid: &str, session: Option<&SessionData>, reply: Reply) {
        if let Err((reply, error)) = self.try_call(operation, sid, session, reply) {
            reply.fail(error);
        }
    }

    fn try_call(
        &self,
        operation: Operation,
        sid: &str,
        session: Option<&SessionData>,
        reply: Reply,
    ) -> Result<(), (Reply, Error)> {
        let (shared, settings) = (&self.handle.0, self.settings());
        let record = session.map(as_sent).unwrap_or_default();
        let bytes = record.len() as u64;
        if bytes > settings.max_record {
            return Err((reply, too_large(settings, operation, bytes)));
        }
        let deadline = deadline(operation, settings);
        let call = Call { operation, sid: sid.to_owned(), record, reply, deadline };
        let mut state = shared.lock();
        if !state.has_supervisor {
            let thread = thread::Builder::new().name("cloakroom-node".to_owned());
            let supervised = Arc::clone(shared);
            if let Err(error) = thread.spawn(move || supervise(&supervised)) {
                let message = format!("cannot start a thread: {}", error.kind());
                let error = settings.error(ErrorKind::Unavailable, operation, message);
                return Err((call.reply, error));
            }
            state.has_supervisor = true;
        }
        if let Err(call) = state.calls.add(call, settings) {
            drop(state);
            let message = "too many calls wait for the Node.js process";
            let error = settings.error(ErrorKind::Unavailable, operation, message);
            return Err((call.reply, error));
        }
        // The supervisor keeps the deadline, and starts a child if none runs.
        let looks_soon = state.looks_at.is_some_and(|at| at <= deadline.min(soon(settings)));
        if state.child.is_none() || !looks_soon {
            shared.supervise.notify_all();
        }
        drop(state);
        shared.write.notify_all();
        Ok(())
    }
}

/// Returns the text of a session. A copy is kept for the time that its original has left, and its cookie is as stale as
/// that of the original. Connect's stores go by the cookie alone, so it gets the time.
fn as_sent(session: &SessionData) -> String {
    let cookie = session.cookie();
    let is_dated = cookie.expires_ms().is_some();
    // Without an end there is no date to set, unless the cookie has one that has passed.
    let ends = |until: &i64| *until < LAST_DATE_MS || cookie.has_expired(Clock::system().now_ms());
    let until = session.store_expiry_ms().filter(|until| is_dated && ends(until));
    let Some(date) = until.and_then(to_iso_string) else { return session.to_json().into_owned() };
    let mut dated = session.clone();
    dated.cookie_mut().set_raw(CookieMember::Expires, JsValue::String(date.into()));
    dated.to_json().into_owned()
}

/// When the supervisor must look at a call that is sent now, in case the child is silent.
fn soon(settings: &Settings) -> Instant {
    Instant::now() + settings.deadline / 2
}

/// When a call that begins now must end: a little before the store's own limit, or that of its caller, who then learns
/// more than that it waited in vain.
fn deadline(operation: Operation, settings: &Settings) -> Instant {
    let own = match operation {
        // A child that takes too long says so itself.
        Operation::Start => settings.start_deadline + Duration::from_secs(5),
        _ => settings.deadline,
    };
    let now = Instant::now();
    let left = Limits::start("node", operation.name(), operation.idempotency(), own).time_left();
    now + left - (left / 20).min(Duration::from_millis(20))
}

impl CallbackStore for NodeStore {
    /// Returns the name of the package, or that of [`name`](crate::NodeStoreBuilder::name).
    fn name(&self) -> &str {
        &self.settings().name
    }

    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
        self.call(Operation::Get, sid, None, Reply::Get(callback));
    }

    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
        self.call(Operation::Set, sid, Some(session), Reply::Done(callback));
    }

    fn destroy(&self, sid: &str, callback: Callback<()>) {
        self.call(Operation::Destroy, sid, None, Reply::Done(callback));
    }

    /// Answers `Extended` if the store reports no error: Connect's `touch` does not tell whether there was a session.
    fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>) {
        self.call(Operation::Touch, sid, Some(session), Reply::Touch(callback));
    }

    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        Some(self)
    }
}

impl CallbackEnumerate for NodeStore {
    /// Answers with the time left by the cookie in each record, which is stale after a touch: Connect's `all` tells of no
    /// expiry. A session whose cookie says that it has passed is listed with its max age, the longest that it can live
    /// without another touch. One without an expiry is listed as endless, though most stores give it a day.
    fn all(&self, callback: Callback<Vec<Listed>>) {
        self.call(Operation::All, "", None, Reply::All(callback, Vec::new()));
    }

    fn length(&self, callback: Callback<u64>) {
        self.call(Operation::Length, "", None, Reply::Length(callback));
    }

    fn clear(&self, callback: Callback<()>) {
        self.call(Operation::Clear, "", None, Reply::Done(callback));
    }
}

impl fmt::Debug for NodeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeStore").field("name", &self.settings().name).finish_non_exhaustive()
    }
}
