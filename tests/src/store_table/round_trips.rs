//! How many times each operation asks a server.

use std::future::Future;

use cloakroom_core::{Created, Error, SessionData, Store, Touched, Updated};

use super::Result;

/// How often the server was asked since the last call.
pub(super) type Asked<'a> = dyn FnMut() -> Result<usize> + Send + 'a;

/// An operation, and how often it asked the server; `None` when the store does not offer it.
pub(super) type RoundTrips = (&'static str, Option<usize>);

/// What each operation costs once the store is connected.
pub(super) async fn round_trips(
    store: &dyn Store,
    asked: &mut Asked<'_>,
) -> Result<Vec<RoundTrips>> {
    // The first calls connect, and teach a server its scripts.
    each_operation(store, asked).await?;
    each_operation(store, asked).await
}

async fn each_operation(store: &dyn Store, asked: &mut Asked<'_>) -> Result<Vec<RoundTrips>> {
    const SID: &str = "counted";
    let mut session = SessionData::new();
    session.insert("user", "ann")?;
    let atomic = store.atomic();
    let mut counter = Counter { asked, counted: Vec::new() };

    counter.count("set", Some(store.set(SID, &session))).await?;
    let mut read = counter
        .count("get", Some(store.get(SID)))
        .await?
        .flatten()
        .ok_or("what was set is not there")?;
    let touched = counter.count("touch", Some(store.touch(SID, &read))).await?;
    if matches!(touched, Some(Touched::NotOffered | Touched::NotDue)) {
        counter.counted.pop();
        counter.counted.push(("touch", None));
    }
    counter.count("get_and_touch", atomic.map(|atomic| atomic.get_and_touch(SID, None))).await?;
    read.insert("theme", "dark")?;
    let update = || atomic.map(|atomic| atomic.update(SID, &read));
    let stored = counter.count("update", update()).await?;
    let conflict = counter.count("update that meets a conflict", update()).await?;
    counter.count("destroy", Some(store.destroy(SID))).await?;
    let created =
        counter.count("create", atomic.map(|atomic| atomic.create(SID, &session))).await?;
    store.destroy(SID).await?;

    // Else something else was counted than the names say.
    match (stored, conflict, created) {
        (None, None, None)
        | (Some(Updated::Stored(_)), Some(Updated::Conflict(_)), Some(Created::Stored(_))) => {
            Ok(counter.counted)
        }
        answers => Err(format!("update, update and create answered {answers:?}").into()),
    }
}

struct Counter<'a, 'b> {
    asked: &'a mut Asked<'b>,
    counted: Vec<RoundTrips>,
}

impl Counter<'_, '_> {
    /// What the operation answers; `None` when it is not offered.
    async fn count<T: Send>(
        &mut self,
        name: &'static str,
        operation: Option<impl Future<Output = std::result::Result<T, Error>> + Send>,
    ) -> Result<Option<T>> {
        let Some(operation) = operation else {
            self.counted.push((name, None));
            return Ok(None);
        };
        (self.asked)()?;
        let answer = operation.await?;
        self.counted.push((name, Some((self.asked)()?)));
        Ok(Some(answer))
    }
}
