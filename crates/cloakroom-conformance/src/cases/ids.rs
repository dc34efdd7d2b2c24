//! Ids of all kinds: each is distinguished from all others, or rejected.

use std::{collections::BTreeSet, time::Duration};

use cloakroom_core::{Created, Error, ErrorKind, Touched, Updated};

use crate::{
    StoreUnderTest,
    calls::{TAKE_AN_ID, call, told},
    failure::{Failure, Verdict, broken, check},
    probe::shown,
};

/// Ids as express-session, next-session and other libraries generate them.
const USUAL: &[&str] = &[
    "Pq8x-_Zk3f9JwYc1Tn5RbV7LdMsGhEaU",
    "n1XQbTz4dHq_5kVw0Rr8e",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "5eb63bbbe01eeed093cb22bb8f5acdc3",
    "_",
    "-",
    "0",
];

/// Ids that quoting, globbing, decoding or a query language would make equal, or would read as something else than a
/// text.
const ODD: &[&str] = &[
    "a",
    " a",
    "a ",
    "a b",
    "a  b",
    "a+b",
    "a%20b",
    "a%2520b",
    "\"a\"",
    "'a'",
    "`a`",
    "a/b",
    "a//b",
    "../a",
    "a\\b",
    "a\\\\b",
    "*",
    "?",
    "a*",
    "[ab]",
    "[^a]",
    "$&",
    "$1",
    "$a",
    "${a}",
    "{a}",
    "a:b",
    "a::b",
    ":a",
    "a;b",
    "a,b",
    "a=b",
    "a&b",
    "a|b",
    "#a",
    "a.b",
    ".",
    "..",
    "-a",
    "--a",
    "1",
    "01",
    "1.0",
    "null",
    "undefined",
    "__proto__",
    "constructor",
    "toString",
    "<a>",
    "a'; --",
];

/// Ids with the characters that end a line, a text or a command in some protocol.
const CONTROL: &[&str] = &[
    "a",
    "a\0",
    "a\0b",
    "\0",
    "a\n",
    "a\nb",
    "a\r\nb",
    "a\r\nget b\r\n",
    "a\tb",
    "a\u{1b}b",
    "a\u{7f}",
    "a\u{85}b",
];

/// Ids that some normalization of Unicode makes equal, or that look alike.
const UNICODE: &[&str] = &[
    // Composed, decomposed, and look-alikes that some normalization form makes equal.
    "é",
    "e\u{301}",
    "e",
    "Å",
    "\u{212b}",
    "ﬁ",
    "fi",
    "ａ",
    "a",
    "а",
    "²",
    "2",
    "ß",
    "ss",
    "İ",
    "i\u{307}",
    "ı",
    // Invisible characters.
    "\u{200b}a",
    "a\u{200d}",
    "\u{feff}a",
    "a\u{2028}b",
    "a\u{a0}b",
    "a\u{fe0f}",
    "\u{202e}a",
    // A character beyond 16 bits, and one with the same lower 16 bits.
    "🧥",
    "🧥🧥",
    "👩\u{200d}🚀",
    "日本語",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{ffff}",
];

/// Ids that are equal without their case. Some differ in it only by Unicode's rules.
const CASE: &[&str] = &["session", "Session", "SESSION", "sessioN", "é1", "É1", "ſession"];

/// Returns ids around the limits of Memcached (250) and file names (255), and far beyond. They differ only in the last
/// character.
fn long() -> Vec<String> {
    let ascii = [100, 249, 250, 251, 255, 256, 300, 1_024, 2_000].into_iter();
    let pairs = ascii.flat_map(|length| ["a", "b"].map(|end| "x".repeat(length - 1) + end));
    pairs.chain(["a", "b"].map(|end| "é".repeat(299) + end)).collect()
}

fn all_kinds() -> Vec<String> {
    let short = [USUAL, ODD, CONTROL, UNICODE, CASE].concat();
    let all: BTreeSet<String> = short.into_iter().map(str::to_owned).chain(long()).collect();
    all.into_iter().collect()
}

/// Returns `None` if the id was rejected.
fn taken<T>(answer: Result<T, Error>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::InvalidId => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn refused<T>(answer: Result<T, Error>, operation: &str) -> Verdict {
    let kind = answer.err().map(|error| error.kind().as_str());
    check(
        kind == Some(ErrorKind::InvalidId.as_str()),
        format_args!(
            "{operation} must reject this id as invalid, but returned {}",
            kind.unwrap_or("taken")
        ),
    )
}

/// Stores all of them, then reads and removes them one after another. A session that is missing by then was confused
/// with another.
async fn kept_apart<S: AsRef<str> + Sync>(subject: &StoreUnderTest, ids: &[S]) -> Verdict {
    let store = subject.store();
    let mut sessions = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let session = subject.lasting(&format!("owner of id {number}"))?;
        match taken(store.set(id.as_ref(), &session).await)? {
            Some(()) => sessions.push((id.as_ref(), session)),
            None => {
                refused(store.get(id.as_ref()).await, "get")?;
                refused(store.destroy(id.as_ref()).await, "destroy")?;
            }
        }
    }
    for (id, session) in &sessions {
        subject.holds(id, session).await?;
    }
    // A second time while they go one by one: a `destroy` must not remove another.
    for (id, session) in &sessions {
        subject.holds(id, session).await?;
        store.destroy(id).await?;
        subject.is_gone(id).await?;
    }
    Ok(())
}

/// An empty id would be one session that everybody with an empty cookie shares. With a key prefix it would be the
/// prefix itself.
pub(crate) async fn an_empty_id_is_refused(subject: &StoreUnderTest) -> Verdict {
    let store = subject.store();
    refused(store.set("", &subject.lasting("ann")?).await, "set")?;
    refused(store.get("").await, "get")?;
    refused(store.destroy("").await, "destroy")
}

/// Each method builds the backend's key, so each has to check the id.
pub(crate) async fn touch_refuses_an_empty_id(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    // A store without touch may still reject the empty id, so this asks with a valid one.
    subject.touch("missing", &session).await?;
    refused(subject.store().touch("", &session).await, "touch")
}

/// Conditional writes often build the key in code of their own.
pub(crate) async fn conditional_writes_refuse_an_empty_id(subject: &StoreUnderTest) -> Verdict {
    let (atomic, session) = (subject.atomic()?, subject.lasting("ann")?);
    refused(atomic.create("", &session).await, "create")?;
    refused(atomic.get_and_touch("", None).await, "get_and_touch")?;
    subject.store().set("id", &session).await?;
    refused(atomic.update("", &subject.read("id").await?).await, "update")
}

/// Ids as Node.js generates them. A store that rejected one would log out its user.
pub(crate) async fn usual_ids_work(subject: &StoreUnderTest) -> Verdict {
    for id in USUAL {
        let session = subject.lasting(id)?;
        subject.store().set(id, &session).await?;
        subject.holds(id, &session).await?;
    }
    Ok(())
}

/// Ids come from cookies, and so from attackers. If a backend treats two ids as one, by quoting, globbing or decoding,
/// one user gets the session of another.
pub(crate) async fn ids_with_odd_characters_are_kept_apart(subject: &StoreUnderTest) -> Verdict {
    kept_apart(subject, ODD).await
}

/// In Memcached's text protocol a line break ends the command, and the rest of the id would be a command of its own.
pub(crate) async fn ids_with_control_characters_are_kept_apart(
    subject: &StoreUnderTest,
) -> Verdict {
    kept_apart(subject, CONTROL).await
}

/// Collations and some file systems normalize text, and then take different ids for one.
pub(crate) async fn ids_in_unicode_are_kept_apart(subject: &StoreUnderTest) -> Verdict {
    kept_apart(subject, UNICODE).await
}

/// The ids of express-session are base64, so two users' ids can differ in case alone. Some file systems and collations
/// ignore case.
pub(crate) async fn ids_that_differ_in_case_are_kept_apart(subject: &StoreUnderTest) -> Verdict {
    kept_apart(subject, CASE).await
}

/// A store that cut ids to the length that its backend allows would confuse those with a common beginning.
pub(crate) async fn long_ids_are_kept_apart(subject: &StoreUnderTest) -> Verdict {
    kept_apart(subject, &long()).await
}

/// A session that can be stored but not touched would end while its user is active.
pub(crate) async fn touch_takes_every_id_that_set_takes(subject: &StoreUnderTest) -> Verdict {
    let (store, session) = (subject.store(), subject.lasting("ann")?);
    subject.touch("missing", &session).await?;
    let mut kept = Vec::new();
    for id in all_kinds() {
        match taken(store.set(&id, &session).await)? {
            Some(()) => kept.push(id),
            None => refused(store.touch(&id, &session).await, "touch")?,
        }
    }
    for id in kept {
        let touched = subject.touch(&id, &session).await?;
        let wrong = format_args!("touch of {} returned `{touched:?}`", shown(&id)).to_string();
        check(touched == Touched::Extended, wrong)?;
    }
    Ok(())
}

/// A session that can be stored but not updated would fail every request that changes it.
pub(crate) async fn conditional_writes_take_every_id_that_set_takes(
    subject: &StoreUnderTest,
) -> Verdict {
    let (store, atomic, session) = (subject.store(), subject.atomic()?, subject.lasting("ann")?);
    store.set("id", &session).await?;
    let known = subject.read("id").await?;
    // As few calls as possible for each: there are many ids, and a store may be far away.
    for id in all_kinds() {
        let wrong = |operation| broken(format_args!("{operation} of {} had no effect", shown(&id)));
        let Some(created) = taken(atomic.create(&id, &session).await)? else {
            if taken(store.set(&id, &session).await)?.is_some() {
                let id = shown(&id);
                return Err(broken(format_args!("create rejects {id}, which set accepts")));
            }
            refused(atomic.get_and_touch(&id, None).await, "get_and_touch")?;
            refused(atomic.update(&id, &known).await, "update")?;
            continue;
        };
        if created == Created::Exists {
            return Err(wrong("create"));
        }
        atomic.get_and_touch(&id, None).await?.ok_or_else(|| wrong("get_and_touch"))?;
        let mut read = subject.read(&id).await?;
        read.insert("more", 1)?;
        if !matches!(atomic.update(&id, &read).await?, Updated::Stored(_)) {
            return Err(wrong("update"));
        }
        store.destroy(&id).await?;
    }
    Ok(())
}

/// What a refused call was given comes from a browser or is about a user, and its error goes to a log.
pub(crate) async fn a_refusal_quotes_nothing(subject: &StoreUnderTest) -> Verdict {
    const SECRET: &str = "squirrel";
    let quotes_nothing = |operation: &str, outcome: Option<Result<(), Error>>| {
        let text = outcome.and_then(Result::err).map(|error| told(&error)).unwrap_or_default();
        check(
            !text.contains(SECRET),
            format_args!("{operation} quotes an id or a session in {}", shown(&text)),
        )
    };
    let mut session = subject.lasting("ann")?;
    session.insert("secret", SECRET)?;
    for id in all_kinds() {
        let id = id + SECRET;
        if subject.store().get(&id).await.is_ok() {
            continue;
        }
        for operation in TAKE_AN_ID {
            quotes_nothing(operation, call(subject.store(), operation, &id, &session).await)?;
        }
    }
    // A session that was not read, a time to live of zero, and a record that may be too large.
    quotes_nothing("update", call(subject.store(), "update", SECRET, &session).await)?;
    if let Some(atomic) = subject.store().atomic() {
        let outcome = atomic.get_and_touch(SECRET, Some(Duration::ZERO)).await.map(drop);
        quotes_nothing("get_and_touch", Some(outcome))?;
    }
    session.insert_json("padding", format!("\"{}\"", "x".repeat(2 << 20)))?;
    for operation in ["set", "create"] {
        let sid = format!("{SECRET}-{operation}");
        quotes_nothing(operation, call(subject.store(), operation, &sid, &session).await)?;
    }
    Ok(())
}
