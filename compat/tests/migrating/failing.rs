//! Two stores of which one call fails, in each of the ways in which a call can.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::future::BoxFuture;

use crate::scheduler::update_by_text;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It alone is refused.
    Refused,
    /// This store refuses it and all later writes. It takes deletions and extensions, as a full Redis does.
    Full,
    /// All later writes to both stores are refused, and all deletions.
    ReadOnly,
    /// It does not take effect, and its outcome is unknown.
    Unknown,
    /// It takes effect, and its outcome is unknown.
    Unanswered,
    /// Its process is killed before it takes effect.
    Killed,
    /// Its process is killed after it has taken effect.
    KilledAfter,
    /// Its process is killed, and it takes effect when the test says so.
    Late,
}

pub(crate) const FAULTS: [Fault; 8] = [
    Fault::Refused,
    Fault::Full,
    Fault::ReadOnly,
    Fault::Unknown,
    Fault::Unanswered,
    Fault::Killed,
    Fault::KilledAfter,
    Fault::Late,
];

type Late = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// What is to fail, of the calls of one handle.
#[derive(Default)]
pub(crate) struct Plan {
    fault: Option<Fault>,
    /// How many calls are left before it.
    calls: usize,
    has_failed: bool,
    full: Option<usize>,
    is_read_only: bool,
    late: Option<Late>,
}

/// The plan of both stores of a handle.
#[derive(Clone, Default)]
pub(crate) struct Plans(Arc<Mutex<Plan>>);

impl Plans {
    pub(crate) fn fail(fault: Fault, after: usize) -> Self {
        let plan = Plan { fault: Some(fault), calls: after, ..Plan::default() };
        Self(Arc::new(Mutex::new(plan)))
    }

    /// Lets no other call fail, but for what the stores refuse since.
    pub(crate) fn disarm(&self) {
        self.0.lock().unwrap().calls = usize::MAX;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.lock().unwrap().has_failed
    }

    /// Lets the call take effect that is late.
    pub(crate) fn lands(&self) {
        let late = self.0.lock().unwrap().late.take();
        if let Some(late) = late {
            futures::executor::block_on(late());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Read,
    Write,
    /// A deletion, or an extension.
    Small,
}

#[derive(Clone)]
pub(crate) struct Failing {
    pub(crate) store: MemoryStore,
    number: usize,
    plan: Plans,
}

impl Failing {
    pub(crate) fn new(store: &MemoryStore, number: usize, plan: &Plans) -> Self {
        Self { store: store.clone(), number, plan: plan.clone() }
    }

    async fn call<T: Send + 'static>(
        &self,
        what: What,
        call: impl FnOnce(MemoryStore) -> BoxFuture<'static, Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        let error = || Error::new(ErrorKind::Full, "failing", "write", "refused");
        let fault = {
            let mut plan = self.plan.0.lock().unwrap();
            let is_full = plan.full == Some(self.number) && what == What::Write;
            if is_full || plan.is_read_only && what != What::Read {
                return Err(error());
            }
            let is_now = plan.calls == 0 && !plan.has_failed && plan.fault.is_some();
            plan.calls = plan.calls.saturating_sub(1);
            plan.has_failed |= is_now;
            plan.fault.filter(|_| is_now)
        };
        match fault {
            None => call(store).await,
            Some(Fault::Refused) => Err(error()),
            Some(Fault::Unknown) => Err(error().with_outcome_unknown()),
            Some(Fault::Full) => {
                self.plan.0.lock().unwrap().full = Some(self.number);
                if what == What::Write { Err(error()) } else { call(store).await }
            }
            Some(Fault::ReadOnly) => {
                self.plan.0.lock().unwrap().is_read_only = true;
                if what == What::Read { call(store).await } else { Err(error()) }
            }
            Some(Fault::Unanswered) => {
                call(store).await?;
                Err(error().with_outcome_unknown())
            }
            Some(Fault::Killed) => pending().await,
            Some(Fault::KilledAfter) => {
                drop(call(store).await);
                pending().await
            }
            Some(Fault::Late) => {
                let late: Late = Box::new(move || {
                    let call = call(store);
                    Box::pin(async move { drop(call.await) })
                });
                self.plan.0.lock().unwrap().late = Some(late);
                pending().await
            }
        }
    }
}

/// Makes the arguments of a call its own.
macro_rules! owned {
    ($sid:expr, $session:expr) => {{ ($sid.to_owned(), $session.clone()) }};
}

#[async_trait]
impl Store for Failing {
    fn name(&self) -> &str {
        "failing"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let sid = sid.to_owned();
        self.call(What::Read, |store| Box::pin(async move { store.get(&sid).await })).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let (sid, session) = owned!(sid, session);
        self.call(What::Write, |store| Box::pin(async move { store.set(&sid, &session).await }))
            .await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let sid = sid.to_owned();
        self.call(What::Small, |store| Box::pin(async move { store.destroy(&sid).await })).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (sid, session) = owned!(sid, session);
        self.call(What::Small, |store| Box::pin(async move { store.touch(&sid, &session).await }))
            .await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.store.enumerate()
    }
}

#[async_trait]
impl Atomic for Failing {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let (sid, session) = owned!(sid, session);
        self.call(What::Write, |store| {
            Box::pin(async move { store.atomic().unwrap().create(&sid, &session).await })
        })
        .await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let is_deletion = session.store_expiry_ms().is_some_and(|until_ms| until_ms <= 0);
        let what = if is_deletion { What::Small } else { What::Write };
        let (sid, session) = owned!(sid, session);
        self.call(what, |store| {
            Box::pin(async move { update_by_text(&store, &sid, &session).await })
        })
        .await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let sid = sid.to_owned();
        self.call(What::Small, move |store| {
            Box::pin(async move { store.atomic().unwrap().get_and_touch(&sid, ttl).await })
        })
        .await
    }
}
