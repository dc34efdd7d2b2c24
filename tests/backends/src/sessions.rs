//! Sessions that the stores' own tests have in common.

use cloakroom_core::{Clock, SessionData, Store};

/// A browser session of the user `ann`.
///
/// # Panics
///
/// Never, as long as `insert` takes a name.
#[must_use]
pub fn session() -> SessionData {
    let mut session = SessionData::new();
    session.insert("user", "ann").expect("a name is a value");
    session
}

/// The same session with a cookie that expires in so many milliseconds, by the system's clock.
///
/// # Panics
///
/// If no JavaScript date is that late.
#[must_use]
pub fn expiring_in(ms: i64) -> SessionData {
    let mut session = session();
    let now_ms = Clock::system().now_ms();
    session.cookie_mut().set_max_age_ms(Some(ms), now_ms).expect("a date of JavaScript");
    session
}

/// The same session with a number, and with so many bytes more.
///
/// # Panics
///
/// Never, as long as `insert` takes a number and a text.
#[must_use]
pub fn numbered(number: usize, padding: usize) -> SessionData {
    let mut session = session();
    session.insert("number", number).expect("a number is a value");
    session.insert("padding", "x".repeat(padding)).expect("a text is a value");
    session
}

/// A thousand tasks that write and read five times each, a session a task.
///
/// # Panics
///
/// If a call fails, or answers a task with the session of another one.
pub async fn a_thousand_tasks_share(store: &(impl Store + Clone + 'static)) {
    let tasks = (0..1_000).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let sid = number.to_string();
            for _ in 0..5 {
                store.set(&sid, &numbered(number, 300)).await.expect("it is set");
                let read = store.get(&sid).await.expect("it is read").expect("it is there");
                assert_eq!(read.get::<usize>("number").expect("a number"), Some(number));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("the task ends");
    }
}
