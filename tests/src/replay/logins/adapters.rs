//! What the adapters of Auth.js keep after each call: a session is read from it, extended and ended as they do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use cloakroom_authjs::{AuthAdapter, AuthTables, SessionAndUser, SqlAdapter, UpstashAdapter};
use cloakroom_core::{Error, ErrorKind, parse_date};
use redis::{Arg, Cmd, Pipeline, RedisError, RedisFuture, Value as Reply, aio::ConnectionLike};
use serde_json::{Value, json};
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::runtime::{Builder, Runtime};

use crate::replay::{DEADLINE, Outcome, report::Checks};

/// Checks a row of a kind that begins with `adapter.`
pub(super) fn adapter(kind: &str, row: &Value) -> Option<Outcome> {
    let keys =
        || Kept::Keys { map: Keys::default(), prefixes: Prefixes::of(&row["inputs"]["options"]) };
    Some(match kind {
        "drizzle" => {
            let runtime = runtime()?;
            // A pool has a task.
            let kept = runtime.block_on(async { Kept::rows() }).ok()?;
            steps(row, &runtime, &kept)?
        }
        "upstash" if row["output"].get("steps").is_some() => steps(row, &runtime()?, &keys())?,
        "upstash" => left_keys(row, &runtime()?, &keys())?,
        "pg" => {
            Outcome::NotApplicable("rows of PostgreSQL, which the interop tests read on a server")
        }
        "mongodb" => {
            Outcome::NotApplicable("documents of MongoDB, which the interop tests read on a server")
        }
        "prisma" => Outcome::NotApplicable("calls of the client of Prisma, which are not rows"),
        "unstorage" => Outcome::NotApplicable("an adapter that has no counterpart here"),
        _ => return None,
    })
}

fn runtime() -> Option<Runtime> {
    Builder::new_current_thread().enable_all().build().ok()
}

/// The calls, each on what the one before has left behind.
fn steps(row: &Value, runtime: &Runtime, kept: &Kept) -> Option<Outcome> {
    let adapter = kept.adapter().ok()?;
    let token = row["inputs"]["sessionToken"].as_str()?;
    let until = parse_date(row["inputs"]["expires_2"].as_str()?)?;
    let mut checks = Checks::default();
    let mut before = &Value::Null;
    for step in row["output"]["steps"].as_array()? {
        let (call, stored, value) =
            (step["call"].as_str()?, &step["stored"], &step["returns"]["value"]);
        kept.load(runtime, before)?;
        let (name, of) = call.split_once(' ').unwrap_or((call, ""));
        let token = match of {
            "of an unknown token" => "nope".to_owned(),
            "of the deleted user, second device" => format!("{token}-2"),
            _ => token.to_owned(),
        };
        match name.trim_end_matches(',') {
            "getSessionAndUser" => {
                let came = runtime.block_on(adapter.get_session_and_user(&token));
                checks.equal(
                    "what was read",
                    Ok(read_there(value)),
                    came.map(read_here).map_err(kind),
                );
            }
            "updateSession" => {
                let came = runtime.block_on(adapter.update_session(&token, until));
                checks.equal("extended", Ok(of == "(expires)"), came.map_err(kind));
            }
            "deleteSession" => {
                let came = runtime.block_on(adapter.delete_session(&token));
                checks.equal("ended", Ok(()), came.map_err(kind));
            }
            "createSession" | "deleteUser" => {
                before = stored;
                continue;
            }
            // The other calls leave the sessions as they are.
            _ => {}
        }
        checks.equal("kept", kept.sessions_in(stored), kept.sessions(runtime));
        before = stored;
    }
    Some(checks.outcome())
}

/// Keys without a user: they are not sessions.
fn left_keys(row: &Value, runtime: &Runtime, kept: &Kept) -> Option<Outcome> {
    kept.load(runtime, &row["output"]["left"])?;
    let came = runtime.block_on(kept.adapter().ok()?.get_session_and_user("t"));
    let mut checks = Checks::default();
    let reads = read_there(row["output"].get("first_session_reads")?);
    checks.equal("what was read", Ok(reads), came.map(read_here).map_err(kind));
    Some(checks.outcome())
}

fn kind(error: Error) -> ErrorKind {
    error.kind()
}

/// What is compared of an answer: the expiry, the id of the user, and what a session shows of them.
type Read = Option<(Option<i64>, Value)>;

fn read_there(value: &Value) -> Read {
    let value = Some(value).filter(|value| !value.is_null())?;
    let (user, expires) = (&value["user"], value["session"]["expires"].as_str());
    let shown = json!([user["id"], user["name"], user["email"], user["image"]]);
    Some((expires.and_then(parse_date), shown))
}

fn read_here(row: Option<SessionAndUser>) -> Read {
    let row = row?;
    let member = |name| row.user.get::<Value>(name).ok().flatten();
    let shown = json!([row.user_id, member("name"), member("email"), member("image")]);
    Some((Some(row.expires_at_ms), shown))
}

/// Where an adapter keeps its sessions.
enum Kept {
    /// The tables of Drizzle in SQLite.
    Rows(SqlitePool),
    /// The keys of Upstash's adapter, in the process.
    Keys { map: Keys, prefixes: Prefixes },
}

/// The options of Upstash's adapter, with its defaults.
struct Prefixes {
    base: String,
    session: String,
    user: String,
}

impl Prefixes {
    fn of(options: &Value) -> Self {
        let option =
            |name: &str, default: &str| options[name].as_str().unwrap_or(default).to_owned();
        Self {
            base: option("baseKeyPrefix", ""),
            session: option("sessionKeyPrefix", "user:session:"),
            user: option("userKeyPrefix", "user:"),
        }
    }
}

impl Kept {
    fn rows() -> Result<Self, sqlx::Error> {
        // Each connection would have a database of its own.
        SqlitePoolOptions::new().max_connections(1).connect_lazy("sqlite::memory:").map(Self::Rows)
    }

    fn adapter(&self) -> Result<Box<dyn AuthAdapter>, Error> {
        Ok(match self {
            Self::Rows(pool) => {
                let adapter = SqlAdapter::new(pool.clone(), AuthTables::drizzle())?;
                Box::new(adapter.with_deadline(DEADLINE))
            }
            Self::Keys { map, prefixes } => {
                let adapter = UpstashAdapter::new(map.clone())
                    .with_base_key_prefix(&*prefixes.base)
                    .with_session_key_prefix(&*prefixes.session)
                    .with_user_key_prefix(&*prefixes.user);
                Box::new(adapter.with_deadline(DEADLINE))
            }
        })
    }

    /// Replaces everything by what was recorded; `null` for nothing.
    fn load(&self, runtime: &Runtime, stored: &Value) -> Option<()> {
        match self {
            Self::Rows(pool) => runtime.block_on(load_rows(pool, stored)),
            Self::Keys { map, .. } => {
                let texts = stored.as_object().into_iter().flatten();
                let texts = texts.map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())));
                *map.lock() = texts.collect::<Option<_>>()?;
                Some(())
            }
        }
    }

    /// The sessions.
    fn sessions(&self, runtime: &Runtime) -> Option<Value> {
        match self {
            Self::Rows(pool) => {
                let query = "SELECT json_group_array(json_object('sessionToken', sessionToken, 'userId', userId, \
                             'expires', expires)) FROM session";
                let text: String =
                    runtime.block_on(sqlx::query_scalar(query).fetch_one(pool)).ok()?;
                serde_json::from_str(&text).ok()
            }
            Self::Keys { map, .. } => self.sessions_in(&json!(*map.lock())),
        }
    }

    /// The sessions of what was recorded.
    fn sessions_in(&self, stored: &Value) -> Option<Value> {
        match self {
            Self::Rows(_) => stored.get("session").cloned(),
            Self::Keys { prefixes, .. } => {
                let prefix = format!("{}{}", prefixes.base, prefixes.session);
                let is_session = |key: &str| {
                    key.strip_prefix(&prefix).is_some_and(|rest| !rest.starts_with("by-user-id:"))
                };
                let mut keys = stored.as_object()?.clone();
                keys.retain(|key, _| is_session(key));
                Some(Value::Object(keys))
            }
        }
    }
}

const TABLES: &str = "\
    DROP TABLE IF EXISTS user; DROP TABLE IF EXISTS session;
    CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT, email TEXT, emailVerified INTEGER, image TEXT);
    CREATE TABLE session (sessionToken TEXT PRIMARY KEY, userId TEXT NOT NULL, expires INTEGER NOT NULL);";

async fn load_rows(pool: &SqlitePool, stored: &Value) -> Option<()> {
    sqlx::raw_sql(TABLES).execute(pool).await.ok()?;
    let rows = |table: &str| stored.get(table).and_then(Value::as_array).into_iter().flatten();
    for user in rows("user") {
        let insert = "INSERT INTO user (id, name, email, image) VALUES (?, ?, ?, ?)";
        let members = ["id", "name", "email", "image"].into_iter();
        let query =
            members.fold(sqlx::query(insert), |query, name| query.bind(user[name].as_str()));
        query.execute(pool).await.ok()?;
    }
    for session in rows("session") {
        let insert = "INSERT INTO session (sessionToken, userId, expires) VALUES (?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(session["sessionToken"].as_str()?)
            .bind(session["userId"].as_str()?)
            .bind(session["expires"].as_i64()?);
        query.execute(pool).await.ok()?;
    }
    Some(())
}

/// Texts under keys, as a connection that knows the three commands that the adapter sends.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<BTreeMap<String, String>>>);

impl Keys {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, command: &Cmd) -> Option<Reply> {
        let arguments = command.args_iter().map(|argument| match argument {
            Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).ok(),
            _ => None,
        });
        let arguments: Vec<String> = arguments.collect::<Option<_>>()?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut keys = self.lock();
        Some(match arguments[..] {
            ["GET", key] => {
                let text = keys.get(key).map(|text| text.clone().into_bytes());
                text.map_or(Reply::Nil, Reply::BulkString)
            }
            ["SET", key, text, "XX", "KEEPTTL"] => match keys.get_mut(key) {
                Some(old) => {
                    text.clone_into(old);
                    Reply::Okay
                }
                None => Reply::Nil,
            },
            ["DEL", key] => Reply::Int(i64::from(keys.remove(key).is_some())),
            _ => return None,
        })
    }
}

impl ConnectionLike for Keys {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Reply> {
        let unknown =
            || RedisError::from((redis::ErrorKind::Client, "not a command of the adapter"));
        Box::pin(async move { self.answer(command).ok_or_else(unknown) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Reply>> {
        let unknown =
            RedisError::from((redis::ErrorKind::Client, "the adapter sends one command at a time"));
        Box::pin(async move { Err(unknown) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}
