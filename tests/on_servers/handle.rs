//! What the handle says of a store that does not answer.

use std::time::Duration;

use cloakroom::{
    ErrorKind, ExpressSession, ExpressSessionOptions, Session,
    redis::{RedisOptions, RedisStore},
};
use cloakroom_test_support::RedisServer;

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_store_knows_better_than_the_handle_what_was_sent() {
    const DEADLINE: Duration = Duration::from_secs(2);
    let mut server = RedisServer::start().unwrap();
    let open = || {
        let (mut redis, mut handle) = (RedisOptions::default(), ExpressSessionOptions::default());
        // Both have the same deadline, as they have by default.
        (redis.deadline, handle.deadline) = (DEADLINE, DEADLINE);
        ExpressSession::with_options(RedisStore::open_with(&server.url(), redis).unwrap(), handle)
    };
    let (connected, fresh) = (open(), open());
    connected.set("id", &Session::new()).await.unwrap();
    server.pause().unwrap();
    let (session, change) = (Session::new(), |session: &mut Session| session.insert("a", 1));
    for (sessions, is_connected) in [(connected, true), (fresh, false)] {
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
