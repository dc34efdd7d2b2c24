//! `ids` and `all`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloakroom_core::{Listed, Store, Touched};
use futures::{Stream, StreamExt, TryStreamExt};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::{HOUR_MS, TWIN, shown, who},
};

/// More than any backend returns at once by default: Redis scans 10, connect-redis 100, and MongoDB's first batch has
/// 101.
pub(crate) const MANY: usize = 250;
/// Still more than Redis returns at once.
const SOME: usize = 90;

pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("session-{number}")).collect()
}

/// Stores a session under each id. Its member `who` is the id.
pub(crate) async fn fill(subject: &StoreUnderTest, store: &dyn Store, ids: &[String]) -> Verdict {
    // One after another; the cases about concurrency test concurrent calls.
    for id in ids {
        store.set(id, &subject.lasting(id)?).await?;
    }
    Ok(())
}

/// Checks that each of `wanted` is listed, and nothing else.
fn are(listed: impl IntoIterator<Item = String>, wanted: &[String]) -> Verdict {
    let listed: BTreeSet<String> = listed.into_iter().collect();
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    let count = wanted.len();
    if let Some(id) = wanted.difference(&listed).next() {
        let missing = wanted.difference(&listed).count();
        let left_out =
            format_args!("{missing} of {count} are not listed, such as {}", shown(id)).to_string();
        return Err(broken(left_out));
    }
    match listed.difference(&wanted).next() {
        Some(id) => Err(broken(format_args!("{} is listed, but was not stored", shown(id)))),
        None => Ok(()),
    }
}

/// Checks that each listed session is the one that was stored under its id, and returns the ids. A store that lists ids
/// and records in two steps can pair them wrongly.
fn owned(listed: Vec<Listed>) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::with_capacity(listed.len());
    for Listed { id, session, .. } in listed {
        let owner = who(&session)?;
        check(owner == id, format_args!("{id:?} is listed with the session of {owner:?}"))?;
        ids.push(id);
    }
    Ok(ids)
}

/// "Log out everywhere" works through this list. A session that is missing in it stays logged in.
pub(crate) async fn ids_lists_live_sessions(subject: &StoreUnderTest) -> Verdict {
    are(subject.ids().await?, &[])?;
    let ids = names(5);
    fill(subject, subject.store(), &ids).await?;
    are(subject.ids().await?, &ids)?;
    subject.store().destroy(&ids[0]).await?;
    are(subject.ids().await?, &ids[1..])
}

/// A copy to another store is made from this list, so each record must be listed unchanged and under its own id.
pub(crate) async fn all_gives_ids_and_records(subject: &StoreUnderTest) -> Verdict {
    are(owned(subject.all().await?)?, &[])?;
    let (ids, store) = (names(5), subject.store());
    let mut records = BTreeMap::new();
    for id in &ids {
        let session = subject.lasting(id)?;
        store.set(id, &session).await?;
        records.insert(id.clone(), session.to_json().into_owned());
    }
    let listed = subject.all().await?;
    for Listed { id, session, .. } in &listed {
        let (written, read) = (records.get(id), session.loaded_json());
        check(
            written.is_some_and(|written| written == read),
            format_args!("wrote {written:?} under {id:?}, but {read:?} is listed"),
        )?;
    }
    are(listed.into_iter().map(|listed| listed.id), &ids)
}

/// Whoever goes through the list changes what is in it. A session that lacks its revision could not be updated, and a
/// later write would take its stale cookie for the truth.
pub(crate) async fn all_gives_each_session_as_get_does(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let (read, listed) = (subject.read("id").await?, subject.all().await?);
    let [listed] = &*listed else {
        return Err(broken(format_args!("one session is listed as {}", listed.len())));
    };
    let (text, record) = (listed.session.loaded_json(), read.loaded_json());
    check(
        text == record && listed.session.revision() == read.revision(),
        format_args!("{} is listed as {}, or with another revision", shown(record), shown(text)),
    )
}

/// Stores one session that expires and one that lives, and waits for the expiry.
pub(crate) async fn one_has_expired(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("expired", &subject.short("expired")?).await?;
    subject.store().set("live", &subject.lasting("live")?).await?;
    subject.outlast().await
}

fn is_left_out(mut listed: impl Iterator<Item = String>, id: &str) -> Verdict {
    check(!listed.any(|other| other == id), format_args!("{id:?} is listed"))
}

/// An expired session that is listed counts as a visitor who is not there.
pub(crate) async fn ids_leaves_expired_sessions_out(subject: &StoreUnderTest) -> Verdict {
    // Asked first: a store that cannot list may also not expire sessions, and would fail here for the wrong reason.
    subject.ids().await?;
    one_has_expired(subject).await?;
    is_left_out(subject.ids().await?.into_iter(), "expired")
}

/// A copy to another store would bring expired sessions back to life.
pub(crate) async fn all_leaves_expired_sessions_out(subject: &StoreUnderTest) -> Verdict {
    // Asked first, as above.
    subject.all().await?;
    one_has_expired(subject).await?;
    is_left_out(subject.all().await?.into_iter().map(|listed| listed.id), "expired")
}

/// Backends return lists in pages. A store that stops after the first misses most users.
pub(crate) async fn ids_lists_more_than_a_page(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    let ids = names(MANY);
    fill(subject, subject.store(), &ids).await?;
    are(subject.ids().await?, &ids)
}

/// Records come in smaller pages than ids, so this can break alone.
pub(crate) async fn all_lists_more_than_a_page(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    let ids = names(MANY);
    fill(subject, subject.store(), &ids).await?;
    are(owned(subject.all().await?)?, &ids)
}

/// Stores sessions by other calls than `set`, or extends them by these until `set`'s expiry is over. Returns their ids.
///
/// A store that keeps a list of its ids beside the records has to write it in each of these calls, and to keep an entry
/// as long as its session.
pub(crate) async fn in_every_way(subject: &StoreUnderTest) -> Result<Vec<String>, Failure> {
    const HOUR: Duration = Duration::from_secs(3_600);
    subject.enumerate()?;
    let (store, atomic) = (subject.store(), subject.atomic()?);
    let [created, updated, visited, touched] = ["created", "updated", "visited", "touched"];
    let short = subject.short("ann")?;
    // Only the store's expiry is short. A stale cookie in the record is the business of other cases.
    let copy = subject.lasting("ann")?;
    let copy = copy.with_store_expiry_ms(short.cookie().expires_ms().unwrap_or_default());
    for sid in [updated, visited, touched] {
        store.set(sid, &copy).await?;
    }
    atomic.create(created, &subject.lasting("ann")?).await?;
    let read = store.get(updated).await?;
    let mut read =
        read.ok_or_else(|| subject.gone_early("the session does not exist".to_owned()))?;
    read.cookie_mut().set_max_age_ms(Some(HOUR_MS), subject.now_ms())?;
    read.insert("more", 1)?;
    atomic.update(updated, &read).await?;
    atomic.get_and_touch(visited, Some(HOUR)).await?;
    let mut ways = vec![created, updated, visited];
    if store.touch(touched, &subject.lasting("ann")?).await? == Touched::Extended {
        ways.push(touched);
    }
    subject.in_time(&short)?;
    subject.outlast().await?;
    // Whether expired sessions are left out is another case.
    store.destroy(TWIN).await?;
    if ways.len() == 3 {
        store.destroy(touched).await?;
    }
    for sid in &ways {
        subject.outlives(sid).await?;
    }
    Ok(ways.into_iter().map(str::to_owned).collect())
}

/// Rust's logins are stored by `create`, not by `set`. Without them, "log out everywhere" logs out nobody.
pub(crate) async fn ids_lists_sessions_however_they_were_stored(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.ids().await?;
    let wanted = in_every_way(subject).await?;
    are(subject.ids().await?, &wanted)
}

/// A copy of all sessions would leave them behind.
pub(crate) async fn all_lists_sessions_however_they_were_stored(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.all().await?;
    let wanted = in_every_way(subject).await?;
    are(subject.all().await?.into_iter().map(|listed| listed.id), &wanted)
}

/// A listed id is passed to `get` and `destroy`, so the key's prefix and encoding must be removed exactly.
pub(crate) async fn ids_come_back_as_they_were_set(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    let ids = [
        "a:b",
        "sess:a",
        "a%2fb",
        "a",
        "é",
        "日本語",
        "🧥",
        "a.b",
        "a_b-c",
        "ids:1",
        "$a",
        "{a}",
        "0",
    ];
    let mut taken = Vec::new();
    for id in ids {
        // A store may reject an id; the cases about ids test whether it may.
        if subject.store().set(id, &subject.lasting(id)?).await.is_ok() {
            taken.push(id.to_owned());
        }
    }
    are(subject.ids().await?, &taken)
}

/// Users log in and out while the list is read. Whoever was there from the beginning to the end must be in it; Redis's
/// SCAN promises just that.
pub(crate) async fn ids_lists_what_lives_throughout(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    fill(subject, subject.store(), &names(SOME)).await?;
    throughout(subject, subject.id_stream()?).await
}

/// A rewrite moves a record in some backends. A cursor that goes by position would skip it.
pub(crate) async fn all_lists_what_lives_throughout(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    fill(subject, subject.store(), &names(SOME)).await?;
    throughout(subject, subject.all_stream()?.map_ok(|listed| listed.id)).await
}

/// Creates, destroys and writes other sessions while the list is read.
async fn throughout(
    subject: &StoreUnderTest,
    mut stream: impl Stream<Item = Result<String, Failure>> + Send + Unpin,
) -> Verdict {
    let (ids, store) = (names(SOME), subject.store());
    // The first page has been read. What changes now meets a listing in the middle.
    let Some(first) = stream.next().await else {
        return Err(broken(format_args!("{SOME} sessions were stored, but the list is empty")));
    };
    let (going, staying) = ids.split_at(10);
    for (number, id) in going.iter().enumerate() {
        store.destroy(id).await?;
        store.set(&format!("newcomer-{number}"), &subject.lasting("newcomer")?).await?;
        store.set(&staying[number], &subject.lasting("rewritten")?).await?;
    }
    let mut listed: BTreeSet<String> = stream.try_collect().await?;
    listed.insert(first?);
    let missing = staying.iter().filter(|id| !listed.contains(*id)).count();
    check(
        missing == 0,
        format_args!("{missing} of {} that lived throughout are not listed", staying.len()),
    )
}

/// Another application can use the same server. Whoever destroys all listed sessions must not log its users out.
pub(crate) async fn ids_leaves_neighbours_out(subject: &StoreUnderTest) -> Verdict {
    beside_a_neighbour(subject).await?;
    is_left_out(subject.ids().await?.into_iter(), "theirs")
}

/// The records of another application are not for this one's eyes.
pub(crate) async fn all_leaves_neighbours_out(subject: &StoreUnderTest) -> Verdict {
    beside_a_neighbour(subject).await?;
    is_left_out(subject.all().await?.into_iter().map(|listed| listed.id), "theirs")
}

/// Stores one session here and one in the neighbour.
pub(crate) async fn beside_a_neighbour(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    subject.neighbour()?.set("theirs", &subject.lasting("theirs")?).await?;
    subject.store().set("ours", &subject.lasting("ours")?).await?;
    Ok(())
}
