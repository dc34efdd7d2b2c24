//! Many tasks, large records, and calls that are dropped at any moment.

use std::sync::Arc;

use cloakroom_core::{Created, Error, ErrorKind, SessionData, Store, Updated};
use futures::future::join_all;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    StoreUnderTest,
    dropped::{POINTS, drop_at},
    failure::{Failure, Verdict, broken, check},
    probe::same,
};

/// The JSON of a string of this length. `insert` would look at each of its bytes in code that tests do not optimize.
fn padded(with: char, length: usize) -> String {
    format!("\"{}\"", String::from(with).repeat(length))
}

/// Returns a session whose number proves whose answer it is.
fn numbered(
    subject: &StoreUnderTest,
    number: usize,
    padding: usize,
) -> Result<SessionData, Failure> {
    let mut session = subject.lasting("ann")?;
    session.insert_json("padding", padded('x', padding))?;
    session.insert("number", number)?;
    Ok(session)
}

/// Checks that the session exists and has this number.
async fn has_number(store: &dyn Store, sid: &str, number: usize) -> Verdict {
    let found = store.get(sid).await?;
    let read = found.ok_or_else(|| broken(format_args!("{sid:?} does not exist")))?;
    let got = read.get::<usize>("number")?;
    check(got == Some(number), format_args!("session {number} has the number {got:?}"))
}

async fn join(mut tasks: JoinSet<Verdict>) -> Verdict {
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(broken)??;
    }
    Ok(())
}

/// As many requests as a busy server has, through each kind of handle. No answer may reach another call.
pub(crate) async fn a_thousand_tasks_share_a_store(subject: &StoreUnderTest) -> Verdict {
    const TASKS: usize = 1_000;
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for number in 0..TASKS {
        let session = numbered(subject, number, 300)?;
        let (store, start) = (subject.shared(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            // `&dyn Store`, `Box` and `Arc` forward each method by hand, so each is tested.
            match number % 3 {
                0 => twice(&*store, number, &session).await,
                1 => twice(Box::new(store), number, &session).await,
                _ => twice(store, number, &session).await,
            }
        });
    }
    join(tasks).await
}

/// Stores and reads a session through one of the handles that implement `Store`.
async fn twice(store: impl Store, number: usize, session: &SessionData) -> Verdict {
    let sid = number.to_string();
    for _ in 0..2 {
        store.set(&sid, session).await?;
        has_number(&store, &sid, number).await?;
    }
    Ok(())
}

/// Browsers disconnect all the time. On a shared connection, a dropped call's answer must be read and thrown away,
/// however long it is.
pub(crate) async fn a_dropped_call_leaves_the_others_their_answers(
    subject: &StoreUnderTest,
) -> Verdict {
    const SESSIONS: usize = 10;
    // 50 kB do not fit into one read of a socket, so a call can be dropped in the middle of its answer.
    for number in 0..SESSIONS {
        let session = numbered(subject, number, 50_000)?;
        subject.store().set(&number.to_string(), &session).await?;
    }
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = subject.shared();
        tasks.spawn(async move {
            for turn in 0..6 * POINTS {
                let number = (task + turn as usize) % SESSIONS;
                let sid = number.to_string();
                if turn % 3 == 0 {
                    drop_at(turn, store.get(&sid)).await;
                } else {
                    has_number(&*store, &sid, number).await?;
                }
            }
            Ok(())
        });
    }
    join(tasks).await
}

/// A record that is cut would lock its user out; none at all is only a login to repeat.
pub(crate) async fn a_dropped_set_of_a_new_session_leaves_no_half(
    subject: &StoreUnderTest,
) -> Verdict {
    let session = numbered(subject, 7, 50_000)?;
    for turn in 0..3 * POINTS {
        let sid = turn.to_string();
        drop_at(turn, subject.store().set(&sid, &session)).await;
        if let Some(read) = subject.store().get(&sid).await? {
            same(&read, &session)?;
        }
        subject.store().destroy(&sid).await?;
    }
    Ok(())
}

/// Large answers arrive in many parts, and parts of different answers must not mix.
pub(crate) async fn large_records_are_read_at_once(subject: &StoreUnderTest) -> Verdict {
    let mut large = numbered(subject, 1, 500_000)?;
    // Some backends take less than that, such as the 400 KB of an item of DynamoDB.
    if taken(subject.store().set("large", &large).await)?.is_none() {
        large = numbered(subject, 1, 100_000)?;
        subject.store().set("large", &large).await?;
    }
    for outcome in join_all((0..20).map(|_| subject.store().get("large"))).await {
        let read = outcome?.ok_or_else(|| broken("the session does not exist"))?;
        same(&read, &large)?;
    }
    Ok(())
}

/// Returns `None` if the record is too large.
fn taken<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::TooLarge => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Their commands are larger than those of `set`. A session that has grown to the limit must not become impossible to
/// change.
pub(crate) async fn conditional_writes_take_every_record_that_set_takes(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    // Below and above Memcached's limit of 1 MB.
    for padding in [800_000, 2 << 20] {
        let sid = |operation| format!("{operation}-{padding}");
        let large = numbered(subject, 1, padding)?;
        let is_taken = taken(subject.store().set(&sid("set"), &large).await)?.is_some();
        let created = taken(atomic.create(&sid("create"), &large).await)?;
        subject.store().set(&sid("update"), &numbered(subject, 1, 0)?).await?;
        let mut grown = subject.read(&sid("update")).await?;
        grown.insert_json("padding", padded('y', padding))?;
        let updated = taken(atomic.update(&sid("update"), &grown).await)?;
        let (create, update) = (
            matches!(created, Some(Created::Stored(_))),
            matches!(updated, Some(Updated::Stored(_))),
        );
        let told = |is_taken| if is_taken { "stores" } else { "does not store" };
        for (operation, takes) in [("create", create), ("update", update)] {
            check(
                takes == is_taken,
                format_args!(
                    "set {} a record of {padding} bytes, but {operation} {} it",
                    told(is_taken),
                    told(takes)
                ),
            )?;
        }
        if is_taken {
            subject.holds(&sid("create"), &large).await?;
            subject.holds(&sid("update"), &grown).await?;
        }
    }
    Ok(())
}
