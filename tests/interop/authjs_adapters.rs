//! The sessions that the adapters of Auth.js keep in a database: what one side writes the other reads and ends. Those of
//! the SQL adapters are in `login_tables.rs`.

use std::time::Duration;

use cloakroom_authjs::{
    AuthAdapter, AuthJs, AuthJsVersion, MongoAdapter, SessionRefusal, UpstashAdapter,
};
use cloakroom_core::{ErrorKind, parse_date, to_iso_string};
use cloakroom_test_support::{Mongod, NodeProgram, RedisServer, unique};
use redis::{
    Arg, Cmd, Pipeline, RedisFuture, Value as Reply,
    aio::{ConnectionLike, MultiplexedConnection},
};
use serde_json::{Value, json};

use crate::authjs::{NOW_MS, ask, options, request};

pub(crate) const DAY_MS: i64 = 86_400_000;

/// The npm adapter of a database.
pub(crate) struct Npm {
    pub(crate) program: NodeProgram,
    pub(crate) adapter: &'static str,
    /// Whether the database cuts times to whole seconds.
    pub(crate) cuts: bool,
}

impl Npm {
    fn new(program: NodeProgram, adapter: &'static str) -> Self {
        Self { program, adapter, cuts: false }
    }

    /// A time as the database keeps it.
    fn stored(&self, ms: i64) -> i64 {
        if self.cuts { ms - ms % 1_000 } else { ms }
    }

    pub(crate) fn call(&mut self, name: &str, arguments: Value) -> Value {
        let mut call = vec![json!(name)];
        call.extend(arguments.as_array().unwrap().iter().cloned());
        let calls = json!({ "now": NOW_MS, "adapter": self.adapter, "calls": [call] });
        ask(&mut self.program, &calls).unwrap()[0].clone()
    }

    /// Makes a session of a new user, which expires at this time, and returns its token.
    pub(crate) fn session(&mut self, expires_at_ms: i64) -> String {
        let email = format!("{}@example.test", unique("ada"));
        let user = json!({ "name": "Ada", "email": email, "emailVerified": null, "image": null });
        let user = self.call("createUser", json!([user]));
        let token = unique("sid");
        let session = json!({
            "sessionToken": token, "userId": user["id"], "expires": { "$date": expires_at_ms },
        });
        self.call("createSession", json!([session]));
        token
    }

    pub(crate) fn read(&mut self, token: &str) -> Value {
        self.call("getSessionAndUser", json!([token]))
    }

    /// When the session expires, as the npm adapter reads it.
    fn expiry(&mut self, token: &str) -> Option<i64> {
        parse_date(self.read(token)["session"]["expires"].as_str()?)
    }
}

/// An id as text, which is a number in @auth/pg-adapter.
fn text_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// What holds for every adapter.
pub(crate) async fn is_shared(npm: &mut Npm, adapter: impl AuthAdapter + Clone + 'static) {
    for version in [AuthJsVersion::NextAuth4, AuthJsVersion::AuthJs5] {
        let auth = AuthJs::database(options(version), adapter.clone()).unwrap();
        let name = options(version).session_cookie();
        let cookie = |token: &str| request(&format!("{name}={token}"));

        // Read, and not yet extended.
        let token = npm.session(NOW_MS + 30 * DAY_MS);
        let answer = auth.get_server_session(&cookie(&token)).await.unwrap();
        let session = answer.session().unwrap();
        let body: Value = serde_json::from_str(&session.to_json()).unwrap();
        let theirs = npm.program_session(version, &format!("{name}={token}"));
        assert_eq!(body, theirs["body"]);
        let cookies: Vec<&str> =
            answer.set_cookies().iter().map(|cookie| cookie.to_str().unwrap()).collect();
        assert_eq!(json!(cookies), theirs["cookies"]);
        let read = npm.read(&token);
        assert_eq!(session.user_id().unwrap(), text_of(&read["user"]["id"]));
        let whole = npm.stored(NOW_MS + 30 * DAY_MS);
        assert_eq!(npm.expiry(&token), Some(whole));

        // The same in other letters is another token.
        for other in [token.to_uppercase(), format!("{token} "), format!("{token}\0")] {
            assert_ne!(other, token);
            assert_eq!(adapter.get_session_and_user(&other).await.unwrap(), None);
            assert!(!adapter.update_session(&other, NOW_MS).await.unwrap());
            adapter.delete_session(&other).await.unwrap();
        }
        assert_eq!(npm.expiry(&token), Some(whole));

        // Extended: the site sees the new date.
        let token = npm.session(NOW_MS + 29 * DAY_MS);
        let answer = auth.get_server_session(&cookie(&token)).await.unwrap();
        let before = npm.stored(NOW_MS + 29 * DAY_MS);
        assert_eq!(answer.session().unwrap().expires_at_ms(), before);
        assert_eq!(npm.expiry(&token), Some(whole));
        // It is not due any more for the site.
        let theirs = npm.program_session(version, &format!("{name}={token}"));
        assert_eq!(theirs["body"]["expires"], json!(to_iso_string(whole)));

        // Ended here, and unknown there.
        assert_eq!(auth.sign_out(&cookie(&token)).await.unwrap().len(), 1);
        assert_eq!(npm.read(&token), Value::Null);
        assert!(!adapter.update_session(&token, NOW_MS).await.unwrap(), "nothing is brought back");
        assert_eq!(npm.read(&token), Value::Null);
        adapter.delete_session(&token).await.unwrap();

        // Ended there, and unknown here.
        let token = npm.session(NOW_MS + 30 * DAY_MS);
        npm.call("deleteSession", json!([token]));
        let answer = auth.get_server_session(&cookie(&token)).await.unwrap();
        assert_eq!(answer.refusal(), Some(SessionRefusal::UnknownSession));
        assert_eq!(answer.set_cookies().len(), 1);

        // Expired: deleted here.
        let token = npm.session(NOW_MS - 1);
        let answer = auth.get_server_session(&cookie(&token)).await.unwrap();
        assert_eq!(answer.refusal(), Some(SessionRefusal::ExpiredSession));
        assert_eq!(npm.read(&token), Value::Null);

        // A user who is gone has no session.
        let token = npm.session(NOW_MS + 30 * DAY_MS);
        let user = npm.read(&token)["user"]["id"].clone();
        npm.call("deleteUser", json!([user]));
        assert!(auth.get_server_session(&cookie(&token)).await.unwrap().session().is_none());
    }
}

impl Npm {
    /// What the package answers on the same database.
    fn program_session(&mut self, version: AuthJsVersion, cookie: &str) -> Value {
        let number = if version == AuthJsVersion::NextAuth4 { 4 } else { 5 };
        let session = json!({ "cookie": cookie, "secret": "made-up", "options": {} });
        let request = json!({
            "version": number, "now": NOW_MS, "session": session, "adapter": self.adapter,
        });
        ask(&mut self.program, &request).unwrap()
    }
}

/// A frozen server is an error in time, and nobody is logged out by it.
async fn a_frozen_server_is_an_error(adapter: impl AuthAdapter + 'static) {
    let token = unique("sid");
    let auth = AuthJs::database(options(AuthJsVersion::AuthJs5), adapter).unwrap();
    let headers = request(&format!("authjs.session-token={token}"));
    let error = auth.get_server_session(&headers).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let error = auth.sign_out(&headers).await.unwrap_err();
    assert!(error.outcome_unknown() && !format!("{error} {error:?}").contains(&token));
}

/// A connection on which a logout comes before each `SET`.
#[derive(Clone)]
struct LoggedOut(MultiplexedConnection);

impl ConnectionLike for LoggedOut {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Reply> {
        Box::pin(async move {
            let mut arguments = command.args_iter();
            if let (Some(Arg::Simple(b"SET")), Some(Arg::Simple(key))) =
                (arguments.next(), arguments.next())
            {
                redis::cmd("DEL").arg(key).exec_async(&mut self.0).await?;
            }
            self.0.req_packed_command(command).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Reply>> {
        self.0.req_packed_commands(commands, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn the_sessions_of_the_upstash_adapter_are_read_extended_and_ended() {
    let mut redis = RedisServer::start().unwrap();
    let program = NodeProgram::start("authjs.mjs", &[&redis.url()], &[]).unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let adapter = UpstashAdapter::new(connection.clone());
    let mut npm = Npm::new(program, "upstash");
    is_shared(&mut npm, adapter.clone()).await;

    let token = npm.session(NOW_MS + 29 * DAY_MS);
    let user_id = text_of(&npm.read(&token)["user"]["id"]);
    let pointer = format!("by-user-id:{user_id}");
    assert_eq!(npm.read(&pointer), Value::Null);
    assert!(adapter.get_session_and_user(&pointer).await.unwrap().is_none());
    assert!(!adapter.update_session(&pointer, NOW_MS + DAY_MS).await.unwrap());

    let met = UpstashAdapter::new(LoggedOut(connection));
    assert!(!met.update_session(&token, NOW_MS + 30 * DAY_MS).await.unwrap());
    assert_eq!(npm.read(&token), Value::Null, "a logout stays one");

    npm.adapter = "upstash with prefixes";
    let prefixed =
        adapter.clone().with_base_key_prefix("app:").with_session_key_prefix("sessions:");
    is_shared(&mut npm, prefixed.with_user_key_prefix("users:")).await;

    redis.pause().unwrap();
    a_frozen_server_is_an_error(adapter.with_deadline(Duration::from_millis(200))).await;
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn the_sessions_of_the_mongodb_adapter_are_read_extended_and_ended() {
    let mut mongod = Mongod::start().unwrap();
    let program = NodeProgram::start("authjs.mjs", &["", &mongod.url()], &[]).unwrap();
    let client = mongodb::Client::with_uri_str(mongod.url()).await.unwrap();
    let adapter = MongoAdapter::new(&client.database("logins"));
    is_shared(&mut Npm::new(program, "mongodb"), adapter.clone()).await;
    mongod.pause().unwrap();
    a_frozen_server_is_an_error(adapter.with_deadline(Duration::from_millis(200))).await;
}
