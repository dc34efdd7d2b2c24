//! What each version of connect-redis sends for a session, by the rules in its source.

use super::super::{
    report::Checks,
    script::{CookieKind, Described},
};
use crate::json::Json;

const DAY: i64 = 86_400;

/// A version of connect-redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u32; 3]);

impl Version {
    /// Parses the version in `{"store":"connect-redis 7.1.1"}`.
    pub(super) fn of(store: &Json) -> Option<Self> {
        let label = store.get("store")?.text()?;
        let numbers = label.strip_prefix("connect-redis ")?.split('.').map(str::parse::<u32>);
        Some(Self(numbers.collect::<Result<Vec<_>, _>>().ok()?.try_into().ok()?))
    }

    pub(super) fn major(self) -> u32 {
        self.0[0]
    }

    /// Returns true if it adds `lastModified` to each record, and writes `TOMBSTONE` where other versions delete.
    pub(super) fn merges(self) -> bool {
        matches!(self.0, [6, 1, 0 | 2])
    }
}

/// The options of a store of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) prefix: String,
    /// The option `ttl`. Zero counts as unset.
    pub(super) ttl: Option<i64>,
    pub(super) disable_ttl: bool,
}

impl Options {
    /// Returns the options from the members of the store and from its member `options`, or `None` for an unknown
    /// option.
    pub(super) fn of(store: &Json) -> Option<Self> {
        let mut options = Self { prefix: "sess:".to_owned(), ttl: None, disable_ttl: false };
        let given = store.get("options").map_or(&[][..], Json::members);
        let beside = ["store", "client", "note", "options", "sessions"];
        let own =
            store.members().iter().filter(|(name, _)| beside.iter().all(|known| name != *known));
        for (name, value) in given.iter().chain(own) {
            match (&*name.to_str()?, value) {
                ("prefix", value) => options.prefix = value.text()?,
                ("ttl", Json::Number(seconds)) => options.ttl = Some(*seconds as i64),
                ("ttl", Json::String(text)) => options.ttl = Some(text.to_str()?.parse().ok()?),
                ("disableTTL", Json::Bool(value)) => options.disable_ttl = *value,
                // These options do not affect `set` and `get`.
                ("disableTouch" | "scanCount" | "logErrors", _) => {}
                _ => return None,
            }
        }
        options.ttl = options.ttl.filter(|seconds| *seconds != 0);
        Some(options)
    }
}

/// What a version sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// `SET`, with a time to live if it has one.
    Set(Option<i64>),
    /// The version's reaction to a session whose expiry has passed.
    Destroy,
    /// Nothing, because it fails before.
    Nothing,
}

/// Returns the time to live by our rule, or `None` if the session must be destroyed. The rule is that of versions 4 to
/// 10, which also destroy a session whose `expires` is not a date.
pub(super) fn ttl(session: &Described, options: &Options, now_ms: i64) -> Option<i64> {
    match session.expires_ms() {
        None | Some(None) => Some(options.ttl.unwrap_or(DAY)),
        Some(Some(ms)) => Some(ceil(ms - now_ms, 1_000)),
    }
    .filter(|seconds| *seconds > 0)
}

fn ceil(number: i64, divisor: i64) -> i64 {
    -(-number).div_euclid(divisor)
}

fn sent(session: &Described, version: Version, options: &Options, now_ms: i64) -> Sent {
    let major = version.major();
    let without = session.throws.is_some() || session.text.is_none();
    if major < 4 {
        // The version reads `session.cookie.maxAge` after it prints the session.
        if without || session.cookie_kind == CookieKind::None {
            return Sent::Nothing;
        }
        let own = session.max_age_ms(now_ms).map(|ms| (ms / 1_000.0).floor() as i64);
        let seconds = options.ttl.or(own).unwrap_or(DAY);
        return Sent::Set((!options.disable_ttl).then_some(seconds));
    }
    let seconds = match session.expires_ms() {
        None => Some(options.ttl.unwrap_or(DAY)),
        Some(ms) => ms.map(|ms| ceil(ms - now_ms, 1_000)),
    };
    let has_ended = seconds.is_none_or(|seconds| seconds <= 0);
    match (major, has_ended) {
        // From version 8 on, the time to live is checked first.
        (8.., true) => Sent::Destroy,
        _ if without => Sent::Nothing,
        (4, _) => Sent::Set((!options.disable_ttl).then_some(seconds.unwrap_or_default())),
        (5 | 6, true) if options.disable_ttl => Sent::Set(None),
        (_, true) => Sent::Destroy,
        (_, false) => Sent::Set(seconds.filter(|_| !options.disable_ttl)),
    }
}

/// Compares the recording with this version's rules. Returns `None` if the row is malformed.
pub(super) fn check(
    row: &Json,
    session: &Described,
    version: Version,
    options: &Options,
    now_ms: i64,
    checks: &mut Checks,
) -> Option<()> {
    let (sid, key) = (row.get("sid")?.text()?, row.get("key")?.text()?);
    checks.equal("key", format!("{}{sid}", options.prefix), key.clone());
    let sent = sent(session, version, options, now_ms);
    let stored = matches!(sent, Sent::Set(None)) || matches!(sent, Sent::Set(Some(1..)));
    let has_left_a_mark = version.merges() && sent == Sent::Destroy;
    checks.equal("stored", Some(&Json::Bool(stored || has_left_a_mark)), row.get("stored"));
    let words =
        |text: &str| if version.major() < 7 { text.to_lowercase() } else { text.to_owned() };
    if version.merges() {
        // This version reads the old record first, sends the time to live twice, and marks destroyed sessions.
        return Some(());
    }
    let commands = match sent {
        Sent::Set(Some(seconds)) => vec![format!("{} {key} <value> EX {seconds}", words("SET"))],
        Sent::Set(None) => vec![format!("{} {key} <value>", words("SET"))],
        Sent::Destroy => vec![format!("{} {key}", words("DEL"))],
        Sent::Nothing => Vec::new(),
    };
    let recorded: Vec<String> = row.get("command")?.items().iter().filter_map(Json::text).collect();
    checks.equal("command", commands, recorded);
    let seconds = match sent {
        Sent::Set(Some(seconds)) => Json::Number(seconds as f64),
        _ => Json::Null,
    };
    checks.equal("ttl_sent", Some(&seconds), row.get("ttl_sent"));
    checks.equal("error", error(session, version, sent), recorded_error(row.get("set")?));
    Some(())
}

/// Returns the message of the error with which `set` ended.
fn recorded_error(set: &Json) -> Option<String> {
    let error = set.get("thrown").or_else(|| set.get("err"))?;
    error.get("message").and_then(Json::text)
}

fn error(session: &Described, version: Version, sent: Sent) -> Option<String> {
    let of = |what: &str, member: &str| {
        Some(format!("Cannot read properties of {what} (reading '{member}')"))
    };
    match sent {
        Sent::Set(Some(..=0)) => Some("ERR invalid expire time in 'set' command".to_owned()),
        Sent::Set(_) | Sent::Destroy => None,
        Sent::Nothing if session.throws.is_some() => session.throws.clone(),
        Sent::Nothing if version.major() < 4 => match session.text.as_deref() {
            Some("null") => of("null", "cookie"),
            _ => of("undefined", "maxAge"),
        },
        Sent::Nothing => None,
    }
}
