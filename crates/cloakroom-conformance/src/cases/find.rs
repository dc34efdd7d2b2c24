//! `FindBy`: the sessions of one user, without a look at the others.

use std::collections::BTreeSet;

use cloakroom_core::{ErrorKind, Listed, SessionData};
use futures::future::try_join_all;

use crate::{
    StoreUnderTest,
    cases::listing::MANY,
    failure::{Failure, Verdict, broken, check},
    probe::{same, shown},
};

/// Where Passport has the user.
const PATH: &str = "passport.user";

/// Returns a session with these members.
fn with(subject: &StoreUnderTest, members: &str) -> Result<SessionData, Failure> {
    let cookie = subject.lasting("cookie")?.cookie().to_json();
    Ok(SessionData::from_json(format!("{{\"cookie\":{cookie},{members}}}"))?)
}

/// Stores a session with these members under each id.
async fn fill(subject: &StoreUnderTest, sessions: &[(&str, &str)]) -> Verdict {
    for (sid, members) in sessions {
        subject.store().set(sid, &with(subject, members)?).await?;
    }
    Ok(())
}

fn ids(found: &[Listed]) -> BTreeSet<&str> {
    found.iter().map(|one| &*one.id).collect()
}

/// Checks that exactly these sessions are found. A store may decline, if it `may`.
async fn finds(
    subject: &StoreUnderTest,
    path: &str,
    value: &str,
    wanted: &[&str],
    may: bool,
) -> Verdict {
    let Some(found) = subject.find(path, value).await? else {
        return check(may, format_args!("{} is not looked for by the index", shown(value)));
    };
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    check(
        ids(&found) == wanted,
        format_args!("{} was found in {:?} instead of {wanted:?}", shown(value), ids(&found)),
    )
}

/// A session that is missing stays signed in, and one of somebody else's is signed out.
pub(crate) async fn find_lists_the_sessions_with_the_value(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    let sessions = [
        ("here", r#""passport":{"user":5}"#),
        ("both", r#""user":6,"passport":{"more":[1],"user":5}"#),
        ("other", r#""passport":{"user":50}"#),
        ("nobody", r#""passport":{}"#),
        ("above", r#""user":5"#),
        ("below", r#""passport":{"user":{"user":5}}"#),
        ("text", r#""passport":"user""#),
    ];
    fill(subject, &sessions).await?;
    finds(subject, PATH, "5", &["here", "both"], false).await?;
    finds(subject, PATH, "51", &[], false).await?;
    for Listed { id, session, .. } in subject.find(PATH, "5").await?.unwrap_or_default() {
        let read = subject.read(&id).await?;
        same(&session, &read)?;
        check(session.revision() == read.revision(), "it is found with another revision")?;
    }
    subject.store().destroy("here").await?;
    subject.store().set("both", &with(subject, r#""passport":{"user":6}"#)?).await?;
    finds(subject, PATH, "5", &[], false).await?;
    finds(subject, PATH, "6", &["both"], false).await
}

/// An expired session may be there until the backend cleans up.
pub(crate) async fn find_leaves_expired_sessions_out(subject: &StoreUnderTest) -> Verdict {
    subject.index("who").await?;
    subject.store().set("expired", &subject.short("ann")?).await?;
    subject.store().set("live", &subject.lasting("ann")?).await?;
    subject.outlast().await?;
    finds(subject, "who", "\"ann\"", &["live"], false).await
}

/// Backends return lists in pages.
pub(crate) async fn find_lists_more_than_a_page(subject: &StoreUnderTest) -> Verdict {
    subject.index("who").await?;
    for number in 0..MANY {
        subject.store().set(&format!("id-{number}"), &subject.lasting("ann")?).await?;
    }
    subject.store().set("other", &subject.lasting("bob")?).await?;
    let found = subject.find("who", "\"ann\"").await?.unwrap_or_default();
    let count = ids(&found).len();
    check(count == MANY, format_args!("{count} of {MANY} sessions are found"))
}

/// Databases compare texts by a collation, and take a number for its text.
pub(crate) async fn find_tells_values_apart_as_javascript_does(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.index(PATH).await?;
    let users = [
        ("number", "7"),
        ("text", "\"7\""),
        ("point", "\"7.0\""),
        ("big", "9007199254740993"),
        ("true", "true"),
        ("word", "\"true\""),
        ("lower", "\"ann\""),
        ("upper", "\"Ann\""),
        ("space", "\"ann \""),
        ("accent", "\"a\u{301}nn\""),
        ("empty", "\"\""),
        ("mark", "\"?\""),
    ];
    for (sid, user) in users {
        fill(subject, &[(sid, &*format!("\"passport\":{{\"user\":{user}}}"))]).await?;
    }
    for (sid, user) in users {
        finds(subject, PATH, user, &[sid], sid == "big").await?;
    }
    Ok(())
}

/// A record need not be written by `JSON.stringify`.
pub(crate) async fn find_misses_no_record(subject: &StoreUnderTest) -> Verdict {
    let sessions = [
        ("point", r#""passport":{"user":5.0}"#),
        ("power", r#""passport":{"user":50e-1}"#),
        ("spaces", "\"passport\" :\n\t{ \"user\" : 5 }"),
        ("name", r#""p\u0061ssport":{"us\u0065r":5}"#),
        ("again", r#""passport":{"user":6},"passport":{"user":6,"user":5}"#),
        ("gone", r#""passport":{"user":5},"passport":{"user":6}"#),
        ("nul", r#""note":"a\u0000b","passport":{"user":5}"#),
        ("half", r#""note":"\ud83d","passport":{"user":"ann"}"#),
        ("escaped", r#""passport":{"user":"\u0061n\u006e"}"#),
        ("plain", r#""passport":{"user":"ann"}"#),
        ("list", r#""passport":[{"user":5}]"#),
        ("items", r#""passport":{"user":[5]}"#),
        ("nothing", r#""passport":{"user":null}"#),
        ("dots", r#""passport.user":5"#),
        ("slash", r#""passport":{"user":"a\/\"b\\\n"}"#),
    ];
    // Some are there before the index is.
    fill(subject, &sessions[..7]).await?;
    subject.index(PATH).await?;
    fill(subject, &sessions[7..]).await?;
    let fives = ["point", "power", "spaces", "name", "again", "nul"];
    finds(subject, PATH, "5", &fives, false).await?;
    finds(subject, PATH, "5.0", &fives, true).await?;
    finds(subject, PATH, "\"ann\"", &["half", "escaped", "plain"], false).await?;
    finds(subject, PATH, r#""a/\"b\\\n""#, &["slash"], true).await?;
    finds(subject, PATH, "[5]", &["items"], true).await?;
    finds(subject, PATH, "null", &["nothing"], true).await
}

/// Paths that a statement or a query could take for a part of itself.
const PATHS: [&str; 10] = [
    "",
    ".",
    "passport..user",
    "passport.$where",
    "$where",
    "passport.us\"er",
    "passport.us'er') OR 1=1 --",
    "passport.us`er",
    "passport.us\\er",
    "passport.us\0er",
];

/// A user's name is what the user says.
pub(crate) async fn find_does_not_trust_what_it_looks_for(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    let long = format!("\"{}a\"", "x".repeat(300));
    let longer = format!("\"{}b\"", "x".repeat(300));
    let users = [
        ("drop", r#""'; DROP TABLE sessions; --""#),
        ("all", r#""' OR '1'='1""#),
        ("quotes", r#""\"`'\\""#),
        ("operator", r#"{"$gt":""}"#),
        ("where", r#"{"$where":"true"}"#),
        ("field", r#""$passport.user""#),
        ("nul", r#""a\u0000b""#),
        ("cut", r#""a""#),
        ("like", r#""%""#),
        ("long", &*long),
    ];
    let of = |user: &str| with(subject, &format!("\"passport\":{{\"user\":{user}}}"));
    for (sid, user) in users {
        subject.store().set(sid, &of(user)?).await?;
    }
    for (sid, user) in users {
        finds(subject, PATH, user, &[sid], true).await?;
    }
    for value in [&*longer, "not JSON", "{", ""] {
        finds(subject, PATH, value, &[], true).await?;
    }
    for path in PATHS {
        finds(subject, path, "\"a\"", &[], true).await?;
    }
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    match subject.store().set("huge", &of(&large)?).await {
        Err(error) if error.kind() == ErrorKind::TooLarge => Ok(()),
        set => {
            set?;
            finds(subject, PATH, &large, &["huge"], true).await
        }
    }
}

/// Checks that exactly these sessions are found of those that the store wrote.
async fn knows(subject: &StoreUnderTest, value: &str, wanted: &[&str]) -> Verdict {
    let found = subject.find_known(PATH, value).await?;
    let found = found.ok_or_else(|| broken("the path has neither an index nor a list"))?;
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    check(
        ids(&found) == wanted,
        format_args!("{} is known in {:?} instead of {wanted:?}", shown(value), ids(&found)),
    )
}

/// Each kind of write can be the one that makes a session known, and a visit must not make it unknown.
pub(crate) async fn known_sessions_are_found(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    let anns = with(subject, r#""passport":{"user":"ann"}"#)?;
    let store = subject.store();
    store.set("set", &anns).await?;
    store.set("other", &with(subject, r#""passport":{"user":"Ann"}"#)?).await?;
    store.set("touched", &anns).await?;
    store.touch("touched", &anns).await?;
    let mut wanted = vec!["set", "touched"];
    if let Ok(second) = subject.second_handle() {
        second.set("second", &anns).await?;
        wanted.push("second");
    }
    if let Some(atomic) = store.atomic() {
        atomic.create("created", &anns).await?;
        store.set("updated", &with(subject, r#""views":1"#)?).await?;
        let mut session = subject.read("updated").await?;
        session.insert_json("passport", r#"{"user":"ann"}"#)?;
        atomic.update("updated", &session).await?;
        atomic.get_and_touch("updated", None).await?;
        wanted.extend(["created", "updated"]);
    }
    knows(subject, "\"ann\"", &wanted).await?;
    for Listed { id, session, .. } in subject.find_known(PATH, "\"ann\"").await?.unwrap_or_default()
    {
        same(&session, &subject.read(&id).await?)?;
    }
    for number in 0..MANY {
        let session = with(subject, r#""passport":{"user":true}"#)?;
        store.set(&format!("id-{number}"), &session).await?;
    }
    let many = subject.find_known(PATH, "true").await?.unwrap_or_default();
    check(ids(&many).len() == MANY, format_args!("{} of {MANY} are known", ids(&many).len()))
}

/// A user who logs in as somebody else keeps the session in some applications.
pub(crate) async fn known_sessions_follow_their_last_write(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    let sessions = [
        ("stays", r#""passport":{"user":7.0}"#),
        ("changes", r#""passport":{"user":7}"#),
        ("leaves", r#""passport":{"user":7}"#),
        ("ends", r#""passport":{"user":7}"#),
    ];
    fill(subject, &sessions).await?;
    knows(subject, "7", &["stays", "changes", "leaves", "ends"]).await?;
    fill(subject, &[("changes", r#""passport":{"user":8}"#), ("leaves", r#""passport":{}"#)])
        .await?;
    subject.store().destroy("ends").await?;
    knows(subject, "7", &["stays"]).await?;
    knows(subject, "8", &["changes"]).await?;
    knows(subject, "\"7\"", &[]).await?;
    fill(subject, &[("ends", r#""passport":{"user":7}"#)]).await?;
    knows(subject, "7", &["stays", "ends"]).await
}

/// A caller uses this answer in place of a full listing, so it must not be partial.
pub(crate) async fn known_sessions_need_an_index_or_a_list(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    fill(subject, &[("id", r#""elsewhere":{"user":7},"user":7"#)]).await?;
    for path in ["elsewhere.user", "user"] {
        if let Some(found) = subject.find_known(path, "7").await? {
            check(
                ids(&found).contains("id"),
                format_args!("{path} has an answer, but a session is missing from it"),
            )?;
        }
    }
    for value in ["{", "", "[7]"] {
        let found = subject.find_known(PATH, value).await?.unwrap_or_default();
        check(found.is_empty(), format_args!("{} is known", shown(value)))?;
    }
    Ok(())
}

/// Several processes start at once, and each creates the index.
pub(crate) async fn an_index_that_exists_is_not_an_error(subject: &StoreUnderTest) -> Verdict {
    subject.index(PATH).await?;
    subject.index(PATH).await?;
    try_join_all([subject.index("who"), subject.index("who"), subject.index("who")]).await?;
    fill(subject, &[("id", r#""who":"ann","passport":{"user":5}"#)]).await?;
    finds(subject, "who", "\"ann\"", &["id"], false).await?;
    finds(subject, PATH, "5", &["id"], false).await
}

/// Express writes the same table or collection, and knows nothing of the index.
pub(crate) async fn an_index_refuses_no_session(subject: &StoreUnderTest) -> Verdict {
    let long = "x".repeat(20_000);
    let deep = format!("{}{}", "[".repeat(90), "]".repeat(90));
    let sid = "i".repeat(100);
    let sessions = [
        ("number", r#""passport":{"user":1e999}"#.to_owned()),
        ("nul", r#""passport":{"user":"\u0000"}"#.to_owned()),
        ("half", r#""passport":{"user":"\ud800"}"#.to_owned()),
        ("list", r#""passport":{"user":[1,"a",{"b":2}]}"#.to_owned()),
        ("twice", r#""passport":1,"passport":{"user":1,"user":2}"#.to_owned()),
        ("long", format!("\"passport\":{{\"user\":\"{long}\"}}")),
        ("deep", format!("\"passport\":{{\"user\":{deep}}}")),
        (&*sid, r#""passport":{"user":5}"#.to_owned()),
    ];
    let mut is_accepted = Vec::new();
    for (sid, members) in &sessions {
        is_accepted.push(subject.store().set(sid, &with(subject, members)?).await.is_ok());
    }
    // The same ones can be stored again, and the index can be made of what is there.
    subject.index(PATH).await?;
    for ((sid, members), is_accepted) in sessions.iter().zip(is_accepted) {
        let session = with(subject, members)?;
        match subject.store().set(sid, &session).await {
            Ok(()) => subject.holds(sid, &session).await?,
            Err(error) if is_accepted => {
                return Err(broken(format_args!("{} is refused: {error}", shown(members))));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Nothing is created for a path that would be a part of the statement.
pub(crate) async fn a_path_that_cannot_be_indexed_is_invalid_data(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.index(PATH).await?;
    fill(subject, &[("id", r#""passport":{"user":5}"#)]).await?;
    for path in PATHS {
        if let Err(error) = subject.find_by()?.create_index(path).await {
            check(
                error.kind() == ErrorKind::InvalidData,
                format_args!("the index for {} is refused by {error}", shown(path)),
            )?;
        }
    }
    subject.is_there("id").await?;
    match subject.find_by()?.find(PATH, "5").await? {
        Some(_) => finds(subject, PATH, "5", &["id"], false).await,
        None => Ok(()),
    }
}
