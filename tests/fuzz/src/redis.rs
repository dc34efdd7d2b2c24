//! What a Redis server answers.

use cloakroom_core::{Atomic, SessionData, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use redis::{Cmd, Pipeline, RedisFuture, Value, aio::ConnectionLike};

use crate::{runtime::block_on, session};

/// A connection on which every command has the same answer.
#[derive(Clone)]
struct Answers(Value);

impl ConnectionLike for Answers {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let answer = self.0.clone();
        Box::pin(async move { Ok(answer) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let answers = vec![self.0.clone(); count];
        Box::pin(async move { Ok(answers) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// An answer in Redis's protocol: every operation ends with a session, without one, or with an error.
pub(crate) fn answer(input: &[u8]) {
    let Ok(answer) = redis::parse_redis_value(input) else { return };
    let stored = match &answer {
        Value::BulkString(bytes) => Some(bytes.clone()),
        _ => None,
    };
    let store = RedisStore::with_connection(Answers(answer), RedisOptions::default())
        .expect("the options are the defaults");
    block_on(async {
        match store.get("an id").await {
            Ok(Some(found)) => {
                session::check(&found);
                if let Some(stored) = stored {
                    assert_eq!(found.loaded_json().as_bytes(), stored);
                }
                let updated = store.update("an id", &found).await;
                drop(updated.map_err(|error| session::check_error(&error, input)));
            }
            Ok(None) => {}
            Err(error) => session::check_error(&error, input),
        }
        let session = SessionData::new();
        let errors = [
            store.set("an id", &session).await.err(),
            store.touch("an id", &session).await.err(),
            store.create("an id", &session).await.err(),
            store.get_and_touch("an id", None).await.err(),
            store.destroy("an id").await.err(),
            store.ping().await.err(),
        ];
        errors.iter().flatten().for_each(|error| session::check_error(error, input));
    });
}
