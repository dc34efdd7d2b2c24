//! The commands on all sessions: `ls`, `count`, `destroy` and `clear`.

use cloakroom::{Error, ErrorKind, ExpressSession, Listed};
use futures::stream::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::{
    args::{Clear, Count, Destroy, ListFormat, Ls},
    failure::{End, Failure, is_of_one_session},
    filter::Filter,
    stores::{existing, refuse_as_id},
    terminal::{argument, ask, can_ask, conclude, note, plain, say, span},
};

/// How often `destroy --where` looks for more. On a live site, new sessions can match for ever.
const ROUNDS: u32 = 10;

/// Counts what cannot be read, and goes on.
#[derive(Default)]
struct Unread(u64);

impl Unread {
    fn is_read(&mut self, listed: Result<Listed, Error>) -> Result<Option<Listed>, Failure> {
        match listed {
            Ok(listed) => Ok(Some(listed)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge) => {
                self.0 += 1;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn end(self) -> End {
        if self.0 > 0 {
            note(format_args!("cloakroom: records that cannot be read: {}", self.0));
        }
        End::well_if(self.0 == 0)
    }
}

pub(crate) async fn ls(args: &Ls) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    let filter = Filter::new(&args.filter.conditions)?;
    let mut unread = Unread::default();
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut all = sessions.all();
    if args.format == ListFormat::Table {
        say(format_args!("{:<32}  {:>9}  {:>9}", "ID", "TIME LEFT", "BYTES"))?;
    }
    while left > 0
        && let Some(listed) = all.next().await
    {
        let Some(listed) = unread.is_read(listed)? else { continue };
        if filter.picks(&listed.session) {
            left -= 1;
            print(&listed, args.format)?;
        }
    }
    Ok(unread.end())
}

fn print(listed: &Listed, format: ListFormat) -> Result<(), Failure> {
    let text = listed.session.loaded_json();
    match format {
        ListFormat::Table => {
            let left = listed.time_left.map_or_else(|| "no end".to_owned(), span);
            say(format_args!("{:<32}  {left:>9}  {:>9}", plain(&listed.id), text.len()))
        }
        ListFormat::Ids => say(plain(&listed.id)),
        ListFormat::Json => {
            let id = serde_json::Value::from(&*listed.id);
            let left = json!(listed.time_left.map(|left| left.as_secs_f64()));
            // The session as it is, on one line: a line break between tokens means nothing.
            let session = text.replace(['\r', '\n'], " ");
            say(format_args!(r#"{{"id":{id},"timeLeft":{left},"session":{session}}}"#))
        }
    }
}

pub(crate) async fn count(args: &Count) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    let filter = Filter::new(&args.filter.conditions)?;
    if filter.is_empty() {
        say(sessions.length().await?)?;
        return Ok(End::Well);
    }
    let (mut unread, mut found) = (Unread::default(), 0_u64);
    let mut all = sessions.all();
    while let Some(listed) = all.next().await {
        let listed = unread.is_read(listed)?;
        found += u64::from(listed.is_some_and(|listed| filter.picks(&listed.session)));
    }
    conclude(found)?;
    Ok(unread.end())
}

pub(crate) async fn destroy(args: &Destroy) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    let filter = Filter::new(&args.filter.conditions)?;
    if filter.is_empty() {
        return destroy_ids(&sessions, &args.ids).await;
    }
    let mut total = 0;
    for _ in 0..ROUNDS {
        // A session that gets a new id meanwhile is found by the next round.
        match sessions.destroy_where(|_, session| filter.picks(session)).await {
            Ok(0) => {
                conclude(format_args!("ended: {total}"))?;
                return Ok(End::Well);
            }
            Ok(ended) => total += ended,
            Err(error) => {
                if total > 0 {
                    note(format_args!("cloakroom: ended before the next error: {total}"));
                }
                return Err(error.into());
            }
        }
    }
    conclude(format_args!("ended: {total}"))?;
    note(format_args!(
        "cloakroom: stopped after {ROUNDS} rounds, each of which found more sessions"
    ));
    Ok(End::Differs)
}

async fn destroy_ids(sessions: &ExpressSession, ids: &[String]) -> Result<End, Failure> {
    for id in ids {
        refuse_as_id(id)?;
    }
    let (mut ended, mut missing, mut failed) = (0_u64, 0_u64, 0_u64);
    let mut failure = None;
    'all: for argued in ids {
        let text = argument(argued)?;
        for sid in text.lines().filter(|sid| !sid.is_empty()) {
            match destroy_one(sessions, sid).await {
                Ok(true) => ended += 1,
                Ok(false) => missing += 1,
                Err(error) => {
                    let goes_on = is_of_one_session(&error);
                    failed += u64::from(goes_on);
                    failure.get_or_insert(error);
                    if !goes_on {
                        break 'all;
                    }
                }
            }
        }
    }
    conclude(format_args!("ended: {ended}"))?;
    for (count, what) in [(missing, "without a session"), (failed, "that failed")] {
        if count > 0 {
            note(format_args!("cloakroom: ids {what}: {count}"));
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(End::well_if(missing == 0)),
    }
}

/// Destroys a session. Returns false if no session had the id.
async fn destroy_one(sessions: &ExpressSession, sid: &str) -> Result<bool, Error> {
    let is_there = match sessions.get(sid).await {
        Ok(found) => found.is_some(),
        // It can be destroyed nevertheless.
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge) => true,
        Err(error) => return Err(error),
    };
    sessions.destroy(sid).await.map(|()| is_there)
}

pub(crate) async fn clear(args: &Clear) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    if !args.yes {
        if !can_ask() {
            return Err(Failure::usage("clear ends all sessions: confirm it with --yes"));
        }
        let count = sessions.length().await?;
        let question = format!("This ends all {count} sessions in {}. Type yes:", sessions.name());
        if ask(&question)? != "yes" {
            note("cloakroom: nothing was done");
            return Ok(End::Differs);
        }
    }
    sessions.clear().await?;
    // The store does not say how many it had; what counts is that none is left.
    let left = sessions.ids().try_fold(0_u64, |left, _| async move { Ok(left + 1) }).await?;
    conclude(format_args!("cleared; sessions now: {left}"))?;
    Ok(End::Well)
}
