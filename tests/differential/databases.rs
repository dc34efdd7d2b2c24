//! The two databases of one Redis, and the time to live of their records.
//!
//! Redis uses its own clock, which cannot be set, while the sessions' clock stands still or jumps. So no key may expire
//! by itself: after each step, its expiry is noted in terms of the sessions' clock and moved to [`NEVER`]. If the
//! expiry is different after the next step, that step set it, and the number of seconds follows exactly from the time
//! of the step.

use std::collections::BTreeMap;

use redis::Connection;

/// The year 2100, in milliseconds.
const NEVER: i64 = 4_102_444_800_000;

/// Returns Redis's time, and all keys of each database with their values and expiries. It sets the expiries to
/// [`NEVER`].
const TAKE: &str = r"
local time = redis.call('TIME')
local found = { time[1] * 1000 + math.floor(time[2] / 1000), {}, {} }
for database = 0, 1 do
  redis.call('SELECT', database)
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local row = { key, redis.call('GET', key), redis.call('PEXPIRETIME', key) }
    table.insert(found[database + 2], row)
    redis.call('PEXPIREAT', key, ARGV[1])
  end
end
return found";

pub(crate) struct Databases {
    redis: Connection,
    /// When the result of the last step was inspected, by Redis's clock.
    taken_at: i64,
    /// When each key expires, by the sessions' clock.
    expiries: BTreeMap<String, i64>,
}

/// A database after a step: the value of each key, and what the step did to its time to live.
pub(crate) type Records = BTreeMap<String, (String, Ttl)>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ttl {
    Untouched,
    Seconds(i64),
    Unlimited,
}

/// A step took a second or longer, so the number of seconds is uncertain.
pub(crate) struct TooSlow;

/// The answer of [`TAKE`] for one database.
type Rows = Vec<(String, String, i64)>;

impl Databases {
    pub(crate) fn open(url: &str) -> Self {
        let redis = redis::Client::open(url).unwrap().get_connection().unwrap();
        Self { redis, taken_at: 0, expiries: BTreeMap::new() }
    }

    pub(crate) fn clear(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.redis).unwrap();
        self.expiries.clear();
        // Only the time is needed; the databases are empty.
        let _ = self.take(0);
    }

    /// Returns the content of each database after the step.
    pub(crate) fn take(&mut self, now_ms: i64) -> Result<[Records; 2], TooSlow> {
        let (taken_at, theirs, ours): (i64, Rows, Rows) =
            redis::cmd("EVAL").arg(TAKE).arg(0).arg(NEVER).query(&mut self.redis).unwrap();
        let before = std::mem::replace(&mut self.taken_at, taken_at);
        if taken_at - before >= 1_000 {
            return Err(TooSlow);
        }
        let records = [theirs, ours].map(|rows| {
            let records = rows.into_iter().map(|(key, value, expiry)| {
                let ttl = match expiry {
                    NEVER => Ttl::Untouched,
                    -1 => Ttl::Unlimited,
                    // It was set between `before` and `taken_at`, in whole seconds.
                    _ => Ttl::Seconds((expiry - before) / 1_000),
                };
                (key, (value, ttl))
            });
            records.collect::<Records>()
        });
        for (key, (_, ttl)) in &records[0] {
            match ttl {
                Ttl::Untouched => {}
                Ttl::Seconds(seconds) => {
                    self.expiries.insert(key.clone(), now_ms + seconds * 1_000);
                }
                Ttl::Unlimited => {
                    self.expiries.remove(key);
                }
            }
        }
        Ok(records)
    }

    /// Removes the records that have expired.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        let mut due = Vec::new();
        self.expiries.retain(|key, expiry| {
            let lives = *expiry > now_ms;
            if !lives {
                due.push(key.clone());
            }
            lives
        });
        for key in due {
            self.in_each(|command| command.arg("DEL").arg(&key));
        }
    }

    /// Stores a session in both, for 100 seconds.
    pub(crate) fn store(&mut self, id: &str, record: &str, now_ms: i64) {
        let key = format!("sess:{id}");
        self.in_each(|command| command.arg("SET").arg(&key).arg(record).arg("PXAT").arg(NEVER));
        self.expiries.insert(key, now_ms + 100_000);
    }

    fn in_each(&mut self, fill: impl Fn(&mut redis::Cmd) -> &mut redis::Cmd) {
        for database in 0..2 {
            redis::cmd("SELECT").arg(database).exec(&mut self.redis).unwrap();
            fill(&mut redis::Cmd::new()).exec(&mut self.redis).unwrap();
        }
    }
}
