//! Many tasks at once, and futures that are dropped.

use std::sync::Arc;

use cloakroom_core::{Created, SessionData, Updated};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    StoreUnderTest,
    dropped::{POINTS, drop_at},
    failure::{Failure, Verdict, broken, check},
    probe::{same, shown},
};

/// Returns the first failure of the tasks, if any.
async fn join(mut tasks: JoinSet<Verdict>) -> Verdict {
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(broken)??;
    }
    Ok(())
}

/// Returns a session that is long enough to be written in parts. It is complete if both its ends have the same value.
fn two_ended(subject: &StoreUnderTest, who: &str) -> Result<SessionData, Failure> {
    let mut session = subject.lasting(who)?;
    session.insert("between", who.repeat(2_000))?;
    session.insert("end", who)?;
    Ok(session)
}

fn is_one_of(read: &SessionData, written: &[SessionData]) -> Verdict {
    check(
        written.iter().any(|session| same(read, session).is_ok()),
        format_args!("the record was never written: {}", shown(read.loaded_json())),
    )
}

/// A page sends many requests at once, and several write the session. A mixture of two records would be corrupt, or
/// show members that never belonged together.
pub(crate) async fn concurrent_sets_leave_one_whole_record(subject: &StoreUnderTest) -> Verdict {
    const TASKS: usize = 20;
    // The lengths differ, so that the rest of a longer record would show.
    let sessions: Result<Vec<_>, _> =
        (1..=TASKS).map(|length| two_ended(subject, &"x".repeat(length))).collect();
    let sessions = Arc::new(sessions?);
    // The barrier lets all tasks begin together. Tasks that start one after the other hardly meet.
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for number in 0..TASKS {
        let (store, start) = (subject.shared(), Arc::clone(&start));
        let sessions = Arc::clone(&sessions);
        tasks.spawn(async move {
            start.wait().await;
            store.set("id", &sessions[number]).await?;
            let read = store.get("id").await?;
            is_one_of(&read.ok_or_else(|| broken("the session does not exist"))?, &sessions)
        });
    }
    join(tasks).await?;
    is_one_of(&subject.read("id").await?, &sessions)
}

/// Calls share connections. If an answer reached the wrong call, one user would see the session of another.
pub(crate) async fn concurrent_sessions_do_not_mix(subject: &StoreUnderTest) -> Verdict {
    const TASKS: usize = 40;
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for number in 0..TASKS {
        let (id, store, start) = (format!("id-{number}"), subject.shared(), Arc::clone(&start));
        let session = two_ended(subject, &id)?;
        tasks.spawn(async move {
            start.wait().await;
            store.set(&id, &session).await?;
            // One read may be lucky, since the connection is the one that wrote.
            for _ in 0..3 {
                let found = store.get(&id).await?;
                let read = found.ok_or_else(|| broken(format_args!("{id:?} does not exist")))?;
                is_one_of(&read, std::slice::from_ref(&session))?;
            }
            Ok(())
        });
    }
    join(tasks).await
}

/// The promise that Express cannot give: all of 32 concurrent changes count.
pub(crate) async fn concurrent_updates_lose_nothing(subject: &StoreUnderTest) -> Verdict {
    const TASKS: usize = 8;
    const TIMES: usize = 4;
    let mut session = subject.lasting("ann")?;
    session.insert("count", 0)?;
    if subject.atomic()?.create("id", &session).await? == Created::Exists {
        return Err(broken("a fresh store contains a session"));
    }
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for _ in 0..TASKS {
        let (store, start) = (subject.shared(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
            let mut stored = 0;
            // No limit to the attempts: how many it takes depends on the store and the machine. The case has a time
            // limit.
            while stored < TIMES {
                let found = store.get("id").await?;
                let mut session = found.ok_or_else(|| broken("the session is gone"))?;
                let count: usize = session.get("count")?.unwrap_or_default();
                session.insert("count", count + 1)?;
                match atomic.update("id", &session).await? {
                    Updated::Stored(_) => stored += 1,
                    Updated::Conflict(_) => {}
                    Updated::Gone => return Err(broken("update of a live session is `Gone`")),
                }
            }
            Ok(())
        });
    }
    join(tasks).await?;
    let count = subject.read("id").await?.get("count")?;
    check(
        count == Some(TASKS * TIMES),
        format_args!("{} updates got `Stored`, but the count is {count:?}", TASKS * TIMES),
    )
}

/// If every writer got a conflict, they could repeat their writes for ever.
pub(crate) async fn of_updates_that_meet_one_is_stored(subject: &StoreUnderTest) -> Verdict {
    const TASKS: usize = 16;
    subject.atomic()?;
    subject.store().set("id", &two_ended(subject, "nobody")?).await?;
    let read = subject.read("id").await?;
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for number in 0..TASKS {
        let (store, start) = (subject.shared(), Arc::clone(&start));
        let mut session = read.clone();
        session.insert("end", format!("task {number}"))?;
        tasks.spawn(async move {
            start.wait().await;
            let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
            match atomic.update("id", &session).await? {
                Updated::Stored(_) => Ok(true),
                Updated::Conflict(_) => Ok(false),
                Updated::Gone => Err(broken("update of a live session is `Gone`")),
            }
        });
    }
    let mut one_is_stored = false;
    while let Some(joined) = tasks.join_next().await {
        one_is_stored |= joined.map_err(broken)??;
    }
    check(
        one_is_stored,
        format_args!("{TASKS} updates of one revision got `Conflict`, but nobody has written"),
    )
}

/// A server drops the future of a request whose browser has disconnected. The connection then holds half a command or
/// an answer that nobody waits for.
pub(crate) async fn a_dropped_set_leaves_a_whole_record(subject: &StoreUnderTest) -> Verdict {
    let (old, new) = (two_ended(subject, "old")?, two_ended(subject, "the new one")?);
    for point in 0..POINTS {
        let id = format!("dropped-at-{point}");
        subject.store().set(&id, &old).await?;
        drop_at(point, subject.store().set(&id, &new)).await;
    }
    let either = [old, new];
    for point in 0..POINTS {
        is_one_of(&subject.read(&format!("dropped-at-{point}")).await?, &either)?;
    }
    // The following calls on the same connections work as usual.
    subject.store().set("after", &either[0]).await?;
    subject.holds("after", &either[0]).await
}

/// The answer to the dropped call must not be taken for the answer to the next one on the same connection: it is
/// another user's session.
pub(crate) async fn a_dropped_get_disturbs_no_other(subject: &StoreUnderTest) -> Verdict {
    let (ann, bob) = (two_ended(subject, "ann")?, two_ended(subject, "bob")?);
    subject.store().set("ann", &ann).await?;
    subject.store().set("bob", &bob).await?;
    for point in 0..POINTS {
        drop_at(point, subject.store().get("ann")).await;
        // If the answer to the dropped call is still on the connection, one of these gets it.
        subject.holds("bob", &bob).await?;
        subject.is_gone("nobody").await?;
    }
    Ok(())
}

/// A dropped conditional write happens or does not. A lock or a transaction that it left behind would block every later
/// write.
pub(crate) async fn a_dropped_update_leaves_a_whole_record(subject: &StoreUnderTest) -> Verdict {
    let (atomic, old) = (subject.atomic()?, two_ended(subject, "old")?);
    let mut either = vec![old.clone()];
    for point in 0..POINTS {
        let id = format!("dropped-at-{point}");
        subject.store().set(&id, &old).await?;
        let mut session = subject.read(&id).await?;
        session.insert("end", "the new one")?;
        drop_at(point, atomic.update(&id, &session)).await;
        either.push(session);
    }
    for point in 0..POINTS {
        let id = format!("dropped-at-{point}");
        let mut session = subject.read(&id).await?;
        is_one_of(&session, &either)?;
        // The session can be updated from there. A write that is still in progress may cause a conflict, but only once.
        session.insert("end", "the newest one")?;
        if let Updated::Conflict(mut current) = atomic.update(&id, &session).await? {
            is_one_of(&current, &either)?;
            current.insert("end", "the newest one")?;
            atomic.update(&id, &current).await?;
        }
        let end = subject.read(&id).await?.get::<String>("end")?;
        check(
            end.as_deref() == Some("the newest one"),
            format_args!("the last update is missing; the record has {end:?}"),
        )?;
    }
    Ok(())
}

/// A record that is written first and given its end later never ends if its writer goes away in between.
pub(crate) async fn a_dropped_set_leaves_no_endless_record(subject: &StoreUnderTest) -> Verdict {
    for point in 0..POINTS {
        let session = subject.short("ann")?;
        drop_at(point, subject.store().set(&format!("interrupted-at-{point}"), &session)).await;
    }
    all_end(subject).await
}

/// Two steps are more common here than in `set`: few backends create a record and set its end in one command.
pub(crate) async fn a_dropped_create_leaves_no_endless_record(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    for point in 0..POINTS {
        let session = subject.short("ann")?;
        drop_at(point, atomic.create(&format!("interrupted-at-{point}"), &session)).await;
    }
    all_end(subject).await
}

/// Checks that no short session is left after its time.
async fn all_end(subject: &StoreUnderTest) -> Verdict {
    let end_ms = subject.now_ms() + subject.short_ms();
    subject.outlast().await?;
    for point in 0..POINTS {
        subject.is_gone_after(&format!("interrupted-at-{point}"), end_ms).await?;
    }
    Ok(())
}
