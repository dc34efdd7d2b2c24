//! Records come back byte for byte.

use cloakroom_core::{ErrorKind, SessionData};

use crate::{
    StoreUnderTest,
    failure::{Verdict, check},
};

const COOKIE: &str =
    r#""cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;

/// Checks that a record with these members comes back unchanged.
async fn comes_back(subject: &StoreUnderTest, members: &str) -> Verdict {
    record_comes_back(subject, &format!("{{{COOKIE},{members}}}")).await
}

async fn record_comes_back(subject: &StoreUnderTest, record: &str) -> Verdict {
    let session = SessionData::from_json(record)?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

/// Members of Passport, connect-flash and CSRF middlewares, and names that are special in JavaScript. A store that
/// keeps only what it knows logs users out of Node.js.
pub(crate) async fn unknown_members_come_back(subject: &StoreUnderTest) -> Verdict {
    comes_back(
        subject,
        r#""passport":{"user":"ann"},"flash":{},"empty":[],"nothing":null,"":0,"lastModified":"2026-01-01T00:00:00.000Z","csrfSecret":"x","__proto__":{"a":[[[{}]]]},"save":true"#,
    )
    .await
}

/// Express and next-session build the next `Set-Cookie` from the stored cookie, so an attribute that got lost here is
/// missing in the browser.
pub(crate) async fn unknown_cookie_members_come_back(subject: &StoreUnderTest) -> Verdict {
    record_comes_back(
        subject,
        r#"{"cookie":{"path":"/","httpOnly":true,"maxAge":3600,"sameSite":"auto","priority":"high","tag":"x"},"who":"ann"}"#,
    )
    .await
}

/// Most JSON libraries print `1.0` as `1` and round a number of 20 digits, such as another service's id.
pub(crate) async fn numbers_come_back_as_written(subject: &StoreUnderTest) -> Verdict {
    comes_back(
        subject,
        r#""a":1.0,"b":12345678901234567890,"c":1e2,"d":-0,"e":0.10,"f":1E+400,"g":[5e-324,9007199254740993]"#,
    )
    .await
}

/// A store that parses and prints the text changes its escapes. A conditional write that compares texts then finds a
/// conflict that nobody caused.
pub(crate) async fn escapes_come_back_as_written(subject: &StoreUnderTest) -> Verdict {
    comes_back(subject, r#""a":"Zo\u00eb","b":"\/\"\\\b\f\n\r\t","\u0063":"\u000a\u007F""#).await
}

/// JavaScript can cut a string in the middle of an emoji and stores the half as an escape. Rust's strings cannot hold
/// it, so a store that decodes the text would fail or replace it.
pub(crate) async fn lone_surrogates_come_back(subject: &StoreUnderTest) -> Verdict {
    comes_back(subject, r#""cut":"\ud83d","low":"\ude00x","\udfff":"a name""#).await
}

/// A backend that normalizes or recodes text would change names that users see.
pub(crate) async fn unicode_comes_back(subject: &StoreUnderTest) -> Verdict {
    comes_back(subject, "\"é\":\"e\u{301}\",\"🧥\":\"日本語\u{2028}\u{feff}\u{10ffff}\u{7f}\"")
        .await
}

/// Records that other languages or people wrote contain white space. Reading and writing a session must not change what
/// nobody asked for.
pub(crate) async fn spaces_come_back(subject: &StoreUnderTest) -> Verdict {
    record_comes_back(
        subject,
        "{ \"cookie\" : {\"path\":\"/\"},\n\t\"who\" :  \"ann\" ,\r \"list\": [ 1,\n\r  2 ]\n}\n",
    )
    .await
}

/// Memcached's text protocol ends lines with CRLF. A client that looks for it instead of counting bytes would cut this
/// record.
pub(crate) async fn crlf_between_tokens_comes_back(subject: &StoreUnderTest) -> Verdict {
    record_comes_back(subject, "{\r\n  \"cookie\": {\"path\":\"/\"},\r\n  \"who\": \"ann\"\r\n}")
        .await
}

/// A map that sorts its keys, or has no order, would rewrite the whole record for one change. In JavaScript,
/// applications see the order.
pub(crate) async fn member_order_comes_back(subject: &StoreUnderTest) -> Verdict {
    record_comes_back(
        subject,
        r#"{"z":1,"10":1,"a":1,"2":1,"cookie":{"path":"/","httpOnly":true,"expires":null},"m":{"y":1,"b":1}}"#,
    )
    .await
}

/// JavaScript reads the last of two equal names. A store that keeps the first would give another value than Node.js.
pub(crate) async fn doubled_names_come_back(subject: &StoreUnderTest) -> Verdict {
    comes_back(subject, r#""twice":"first","once":1,"twice":"second""#).await
}

/// A visitor who has just arrived. A store that took an empty record for none would start a new session with every
/// request.
pub(crate) async fn a_session_without_members_comes_back(subject: &StoreUnderTest) -> Verdict {
    record_comes_back(subject, &format!("{{{COOKIE}}}")).await
}

/// express-session throws on a record without `cookie`, so a record of another language has to be completed when it is
/// written.
pub(crate) async fn a_record_without_cookie_gets_one(subject: &StoreUnderTest) -> Verdict {
    // The comparison uses `to_json`, which adds the missing cookie.
    record_comes_back(subject, r#"{"written by":"another language"}"#).await
}

/// Sessions grow, with carts and cached permissions. No buffer or packet may cut them.
pub(crate) async fn a_record_of_100_kb_comes_back(subject: &StoreUnderTest) -> Verdict {
    comes_back(subject, &format!("\"large\":\"{}\"", "0123456789abcde\u{e9}".repeat(6_000))).await
}

/// Memcached rejects more than 1 MB by default. `TooLarge` tells the application what to change; a record that was cut
/// would only log its user out. The id stays usable afterwards.
pub(crate) async fn a_record_of_1_mb_comes_back_or_is_too_large(
    subject: &StoreUnderTest,
) -> Verdict {
    let large =
        SessionData::from_json(format!("{{{COOKIE},\"large\":\"{}\"}}", "x".repeat(1 << 20)))?;
    match subject.store().set("large", &large).await {
        Ok(()) => subject.holds("large", &large).await?,
        Err(error) => check(
            error.kind() == ErrorKind::TooLarge,
            format_args!("wanted success or `TooLarge`, got: {error}"),
        )?,
    }
    let small = subject.lasting("ann")?;
    for sid in ["small", "large"] {
        subject.store().set(sid, &small).await?;
        subject.holds(sid, &small).await?;
    }
    Ok(())
}
