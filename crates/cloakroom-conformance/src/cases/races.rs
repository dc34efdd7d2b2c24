//! A visit or a conditional write that meets a `set` or a `destroy`.
//!
//! A store that reads, decides and then writes loses what happened in between. A lock in its own conditional writes
//! does not help: Node.js, `set` and `destroy` do not take it.

use std::{future::Future, sync::Arc, time::Duration};

use cloakroom_core::{SessionData, Store, Updated};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::{shown, who},
};

const ROUNDS: usize = 20;
/// How many calls meet the `set` or the `destroy` of a round.
const CALLS: usize = 4;
const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

/// The call that takes part in no conditional write, and always has its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plain {
    Set,
    Destroy,
}

/// Lets several calls meet a plain one on one session, in several rounds, each under its own id. Afterwards the backend
/// must have what the plain call left there, whichever came first.
///
/// A call gets the session as it was read before the round, and `None` if the round begins without a session.
async fn meet<F, Fut>(subject: &StoreUnderTest, plain: Plain, exists: bool, call: F) -> Verdict
where
    F: Fn(Arc<dyn Store>, String, Option<SessionData>) -> Fut,
    Fut: Future<Output = Verdict> + Send + 'static,
{
    for round in 0..ROUNDS {
        let sid = format!("round-{round}");
        let read = if exists {
            subject.store().set(&sid, &subject.lasting("ann")?).await?;
            Some(subject.read(&sid).await?)
        } else {
            None
        };
        let newest = subject.lasting("somebody else")?;
        let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(CALLS + 1)));
        for _ in 0..CALLS {
            let start = Arc::clone(&start);
            let call = call(subject.shared(), sid.clone(), read.clone());
            tasks.spawn(async move {
                start.wait().await;
                call.await
            });
        }
        let (store, id, session) = (subject.shared(), sid.clone(), newest.clone());
        tasks.spawn(async move {
            start.wait().await;
            // At another moment of the other calls in each round.
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
            match plain {
                Plain::Set => store.set(&id, &session).await?,
                Plain::Destroy => store.destroy(&id).await?,
            }
            Ok(())
        });
        while let Some(joined) = tasks.join_next().await {
            joined.map_err(broken)??;
        }
        let left = subject.store().get(&sid).await?;
        match (plain, &left) {
            // Who wrote the record is enough. Whether a touch leaves every byte alone is another case.
            (Plain::Set, Some(left)) if who(left)? == who(&newest)? => {}
            (Plain::Destroy, None) => {}
            (Plain::Destroy, Some(_)) => {
                return Err(broken("the session is alive after its destroy met other calls"));
            }
            (Plain::Set, left) => {
                let left = left.as_ref().map(SessionData::loaded_json);
                return Err(broken(format_args!(
                    "set wrote {}, but a call that it met left {}",
                    shown(&newest.to_json()),
                    left.map_or_else(|| "nothing".to_owned(), shown)
                )));
            }
        }
    }
    Ok(())
}

async fn touches_meet(subject: &StoreUnderTest, plain: Plain) -> Verdict {
    let session = subject.lasting("ann")?;
    // Reports a store without touch.
    subject.store().set("id", &session).await?;
    subject.touch("id", &session).await?;
    meet(subject, plain, true, |store, sid, _| {
        let session = session.clone();
        async move { Ok(store.touch(&sid, &session).await.map(drop)?) }
    })
    .await
}

/// A touch that reads the record and writes it back with another expiry undoes the write of a request that ran at the
/// same time.
pub(crate) async fn a_touch_that_meets_a_set_undoes_nothing(subject: &StoreUnderTest) -> Verdict {
    touches_meet(subject, Plain::Set).await
}

/// The same touch brings back a session whose user logged out between its read and its write.
pub(crate) async fn a_touch_that_meets_a_destroy_revives_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    touches_meet(subject, Plain::Destroy).await
}

async fn visits_meet(subject: &StoreUnderTest, plain: Plain) -> Verdict {
    subject.atomic()?;
    meet(subject, plain, true, |store, sid, _| async move {
        let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
        Ok(atomic.get_and_touch(&sid, HOUR).await.map(drop)?)
    })
    .await
}

/// Every visit makes this call, so a write of its own would undo what the other tab of the same user does.
pub(crate) async fn a_get_and_touch_that_meets_a_set_undoes_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    visits_meet(subject, Plain::Set).await
}

/// A page that loads its pictures during a logout must not log its user in again.
pub(crate) async fn a_get_and_touch_that_meets_a_destroy_revives_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    visits_meet(subject, Plain::Destroy).await
}

/// The check for another session and the write must be one step for the writers of Node.js, too.
pub(crate) async fn a_create_that_meets_a_set_overwrites_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.atomic()?;
    let session = subject.lasting("bob")?;
    meet(subject, Plain::Set, false, |store, sid, _| {
        let session = session.clone();
        async move {
            let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
            Ok(atomic.create(&sid, &session).await.map(drop)?)
        }
    })
    .await
}

async fn updates_meet(subject: &StoreUnderTest, plain: Plain) -> Verdict {
    subject.atomic()?;
    meet(subject, plain, true, |store, sid, read| async move {
        let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
        let mut session = read.ok_or_else(|| broken("the session was not read"))?;
        session.insert("late", true)?;
        let updated = atomic.update(&sid, &session).await?;
        check(
            plain == Plain::Destroy || !matches!(updated, Updated::Gone),
            "update of a live session is `Gone`",
        )
    })
    .await
}

/// A lock that only updates take keeps them apart, and still lets each overwrite what Express has just stored.
pub(crate) async fn an_update_that_meets_a_set_undoes_nothing(subject: &StoreUnderTest) -> Verdict {
    updates_meet(subject, Plain::Set).await
}

/// The logout comes between the comparison and the write of a store that does these one after the other.
pub(crate) async fn an_update_that_meets_a_destroy_revives_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    updates_meet(subject, Plain::Destroy).await
}
