//! Every operation of a store, for tests that hold them all to the same.

use cloakroom_core::{Error, Revision, Store};
use cloakroom_redis::RedisStore;
use futures::TryStreamExt;

use crate::{atomic, listing, session};

/// An operation's name, whether it writes, and its outcome.
pub(crate) type Outcome = (&'static str, bool, Result<(), Error>);

/// How many operations there are.
pub(crate) const OPERATIONS: usize = 11;

pub(crate) async fn operation(store: &RedisStore, number: usize) -> Outcome {
    let read = session().with_revision(Revision::of_text());
    let (atomic, listing) = (atomic(store), listing(store));
    match number {
        0 => ("get", false, store.get("a").await.map(drop)),
        1 => ("set", true, store.set("a", &read).await),
        2 => ("destroy", true, store.destroy("a").await),
        3 => ("touch", true, store.touch("a", &read).await.map(drop)),
        4 => ("create", true, atomic.create("a", &read).await.map(drop)),
        5 => ("update", true, atomic.update("a", &read).await.map(drop)),
        6 => ("get_and_touch", true, atomic.get_and_touch("a", None).await.map(drop)),
        7 => ("ids", false, listing.ids().try_collect::<Vec<_>>().await.map(drop)),
        8 => ("all", false, listing.all().try_collect::<Vec<_>>().await.map(drop)),
        9 => ("length", false, listing.length().await.map(drop)),
        _ => ("clear", false, listing.clear().await),
    }
}
