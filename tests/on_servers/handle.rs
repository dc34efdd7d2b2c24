//! What the handle says of a store that does not answer.

use std::time::Duration;

use cloakroom::{
    ErrorKind, ExpressSession, ExpressSessionOptions, SessionData,
    redis::{RedisOptions, RedisStore},
};
use cloakroom_test_support::RedisServer;

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_store_knows_better_than_the_handle_what_was_sent() {
    const DEADLINE: Duration = Duration::from_secs(2);
    let mut server = RedisServer::start().unwrap();
    let open = |of_store| {
        let (mut redis, mut handle) = (RedisOptions::default(), ExpressSessionOptions::default());
        (redis.deadline, handle.deadline) = (of_store, Some(DEADLINE));
        ExpressSession::with_options(RedisStore::open_with(&server.url(), redis).unwrap(), handle)
    };
    // Both have the same deadline, as they have by default, or the store has a later one.
    let (connected, fresh) = (open(DEADLINE), open(DEADLINE));
    let (late_connected, late_fresh) = (open(60 * DEADLINE), open(60 * DEADLINE));
    connected.set("id", &SessionData::new()).await.unwrap();
    late_connected.set("id", &SessionData::new()).await.unwrap();
    server.pause().unwrap();
    let (session, change) =
        (SessionData::new(), |session: &mut SessionData| session.insert("a", 1));
    for (sessions, is_connected) in
        [(connected, true), (fresh, false), (late_connected, true), (late_fresh, false)]
    {
        let (set, get, modify) = tokio::join!(
            sessions.set("id", &session),
            sessions.get("id"),
            sessions.modify("id", change)
        );
        for (error, is_sent) in [
            (set.unwrap_err(), is_connected),
            (get.unwrap_err(), false),
            (modify.unwrap_err(), false),
        ] {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.outcome_unknown(), is_sent, "connected: {is_connected}: {error}");
        }
    }
}
