//! The safe preset: the same cookie and the same records as Express, without the known harm.
//!
//! - A request that only reads costs one round trip, which extends the session too.
//! - Writers that meet keep each other's members, and a session that was destroyed does not come back.
//! - A new id is stored before the old one is destroyed.
//! - `Set-Cookie` is sent when the browser's copy needs it, and a change that cannot be written is an error.

use std::time::Duration;

use cloakroom_core::{Cookie, Created, Error, ErrorKind, Session as Record, TimeToLive, Updated};
use http::HeaderValue;

use crate::{
    RequestHead, Session, SessionEngine, TouchAfter, Unset, WhenDown,
    ids::FoundId,
    state::{Current, RequestFacts, Rules, Shared, State},
};

/// How many cookies of our name are tried: browsers send a few of different paths and domains, attackers as many as fit.
const MOST_COOKIES: usize = 8;

/// How many new ids are tried until one is free. One is, unless `genid` is broken.
const MOST_IDS: usize = 4;

/// What the safe preset remembers of a request.
#[derive(Default)]
pub(crate) struct Safe {
    /// The record is in the store under the session's id.
    is_stored: bool,
    /// Loading it has extended it.
    is_extended: bool,
    /// The handler has asked for its extension.
    is_touched: bool,
    /// It replaces a session that was stored, so it is stored even if it is empty.
    is_replacement: bool,
    /// The cookie as the browser has it; `None` when it has none of this id, or one that an old secret signed.
    browser: Option<Cookie>,
    /// The ids that this session had before, which are in the store still.
    old_ids: Vec<String>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The cookie of a session that was destroyed before this one was made.
    destroyed: Option<Cookie>,
}

/// A session that a cookie led to.
struct Found {
    id: FoundId,
    record: Record,
    is_extended: bool,
    refused: Option<ErrorKind>,
}

pub(crate) async fn load(engine: &SessionEngine, head: RequestHead<'_>) -> Result<Session, Error> {
    let options = engine.options();
    let header = head.cookie_header();
    let ids = engine.ids().find(&header, &options.name, options.unquote);
    let request = RequestFacts::new(engine, head, !ids.is_empty());
    let (found, refused) = match engine.within("load", find(engine, ids)).await {
        Ok(found) => (found, None),
        Err(error) => {
            options.tell(&error);
            if options.when_down == WhenDown::Error {
                return Err(error);
            }
            (None, Some(error.kind()))
        }
    };
    let state = match found {
        Some(Found { id, record, is_extended, refused }) => {
            let browser = (!id.is_outdated).then(|| record.cookie().clone());
            let rules = Safe { is_stored: true, is_extended, browser, ..Safe::default() };
            (false, id.id, record, refused, rules)
        }
        None => {
            let (id, record) =
                engine.generate(&request).inspect_err(|error| options.tell(error))?;
            (true, id, record, refused, Safe::default())
        }
    };
    let (is_new, id, record, refused, rules) = state;
    let state = State {
        is_closed: false,
        id,
        current: Current::Live(record),
        is_new,
        refused,
        rules: Rules::Safe(Box::new(rules)),
    };
    Ok(Session::start(Shared::new(engine.clone(), request, state)))
}

/// The first of the ids under which there is a session.
async fn find(engine: &SessionEngine, ids: Vec<FoundId>) -> Result<Option<Found>, Error> {
    let mut tried: Vec<String> = Vec::new();
    for id in ids {
        if tried.len() == MOST_COOKIES {
            break;
        }
        if tried.contains(&id.id) {
            continue;
        }
        match read(engine, &id.id).await {
            Ok(None) => {}
            Ok(Some((record, is_extended, refused))) => {
                return Ok(Some(Found { id, record, is_extended, refused }));
            }
            // Such a session is lost already, and must not lock its user out.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId) => {
                engine.options().tell(&error);
            }
            Err(error) => return Err(error),
        }
        tried.push(id.id);
    }
    Ok(None)
}

/// The session, whether that extended it, and why it cannot be changed.
async fn read(
    engine: &SessionEngine,
    id: &str,
) -> Result<Option<(Record, bool, Option<ErrorKind>)>, Error> {
    let options = engine.options();
    let Some(atomic) =
        engine.store().atomic().filter(|_| options.touch_after == TouchAfter::EachRequest)
    else {
        return Ok(engine.store().get(id).await?.map(|record| (record, false, None)));
    };
    let max_age = options.cookie.max_age;
    match atomic.get_and_touch(id, max_age).await {
        Ok(None) => Ok(None),
        Ok(Some(record)) => {
            let own = record.cookie().original_max_age_ms();
            if own != max_age.map(milliseconds) {
                // Its life is not the one of the options, which it has been given just now.
                let mut extended = record.clone();
                extend(&mut extended, engine.now_ms());
                engine.store().touch(id, &extended).await?;
            }
            Ok(Some((record, true, None)))
        }
        Err(error) if options.when_down == WhenDown::ReadOnly && !is_lost(&error) => {
            options.tell(&error);
            let record = engine.store().get(id).await?;
            Ok(record.map(|record| (record, false, Some(error.kind()))))
        }
        Err(error) => Err(error),
    }
}

fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Moves the cookie's expiry. One that has passed and has no max age to be moved by is taken away, as Express does it:
/// the store says that the session lives.
fn extend(record: &mut Record, now_ms: i64) {
    record.touch(now_ms);
    if record.cookie().original_max_age_ms().is_none()
        && record.time_to_live(now_ms) == TimeToLive::Expired
    {
        // It cannot fail without a date.
        let _ = record.cookie_mut().set_expires_ms(None, now_ms);
    }
}

pub(crate) fn touch(state: &mut State) {
    if let Rules::Safe(rules) = &mut state.rules {
        rules.is_touched = true;
    }
}

pub(crate) fn regenerate(shared: &Shared, keeps_data: bool) -> Result<(), Error> {
    let mut state = shared.open_for_change("regenerate")?;
    if keeps_data {
        state.record("regenerate")?;
    }
    let (id, record) = shared.generate()?;
    let destroyed = match &state.current {
        Current::Live(_) => None,
        Current::Destroyed(cookie) | Current::Unset(cookie) => Some(cookie.clone()),
    };
    let old_id = std::mem::replace(&mut state.id, id);
    if !keeps_data {
        state.current = Current::Live(record);
    }
    state.is_new = true;
    if let Rules::Safe(rules) = &mut state.rules {
        rules.destroyed = destroyed.or(rules.destroyed.take());
        rules.keeps_data = keeps_data && (rules.is_stored || rules.keeps_data);
        if std::mem::take(&mut rules.is_stored) {
            rules.is_replacement = true;
            rules.old_ids.push(old_id);
        }
        rules.browser = None;
    }
    Ok(())
}

pub(crate) async fn destroy(shared: &Shared) -> Result<(), Error> {
    let ids = {
        let state = shared.open_for_change("destroy")?;
        state.record("destroy")?;
        ids_in_store(&state)
    };
    let engine = &shared.engine;
    engine
        .within("destroy", async {
            for id in &ids {
                engine.store().destroy(id).await?;
            }
            Ok(())
        })
        .await?;
    let mut state = shared.open_for_change("destroy")?;
    let cookie = state.cookie().clone();
    state.current = Current::Destroyed(cookie);
    if let Rules::Safe(rules) = &mut state.rules {
        **rules = Safe::default();
    }
    Ok(())
}

/// Every id of this session that the store may know.
fn ids_in_store(state: &State) -> Vec<String> {
    match &state.rules {
        Rules::Safe(rules) => {
            let own = rules.is_stored.then(|| state.id.clone());
            rules.old_ids.iter().cloned().chain(own).collect()
        }
        Rules::Express(_) => Vec::new(),
    }
}

/// A session on its way into the store.
struct Write {
    id: String,
    record: Record,
    is_stored: bool,
    old_ids: Vec<String>,
    keeps_data: bool,
}

impl Write {
    fn of(state: &State, record: &Record) -> Option<Self> {
        let Rules::Safe(rules) = &state.rules else { return None };
        Some(Self {
            id: state.id.clone(),
            record: record.clone(),
            is_stored: rules.is_stored,
            old_ids: rules.old_ids.clone(),
            keeps_data: rules.keeps_data,
        })
    }

    /// Writes the session and destroys its old ids. `None` when it was destroyed meanwhile, which it then stays.
    async fn run(
        mut self,
        shared: &Shared,
        extends: bool,
    ) -> Result<Option<(String, Record)>, Error> {
        let engine = &shared.engine;
        if self.keeps_data
            && let Some(old_id) = self.old_ids.last()
        {
            // What others have written under the old id since it was read comes along; a logout stays one.
            let Some(mut current) = engine.store().get(old_id).await? else { return Ok(None) };
            current.merge(&self.record);
            self.record = current;
        }
        let now_ms = engine.now_ms();
        let lay = |record: &Record| {
            let mut record = record.clone();
            if extends {
                extend(&mut record, now_ms);
            }
            record
        };
        let written = if self.is_stored {
            update(engine, &self.id, &self.record, lay).await?
        } else {
            Some(create(shared, &mut self.id, lay(&self.record)).await?)
        };
        for old_id in &self.old_ids {
            engine.store().destroy(old_id).await?;
        }
        Ok(written.map(|record| (self.id, record)))
    }
}

async fn create(shared: &Shared, id: &mut String, mut record: Record) -> Result<Record, Error> {
    let store = shared.engine.store();
    let Some(atomic) = store.atomic() else {
        store.set(id, &record).await?;
        return Ok(record);
    };
    for _ in 0..MOST_IDS {
        match atomic.create(id, &record).await? {
            Created::Stored(revision) => {
                record.mark_stored(revision);
                return Ok(record);
            }
            Created::Exists => *id = shared.generate()?.0,
        }
    }
    let message = "genid gives ids that are taken";
    Err(Error::new(ErrorKind::InvalidId, store.name().to_owned(), "create", message))
}

/// Writes the record over the one it was read from, or its changes over what others have made of it.
async fn update(
    engine: &SessionEngine,
    id: &str,
    ours: &Record,
    lay: impl Fn(&Record) -> Record + Send + Sync,
) -> Result<Option<Record>, Error> {
    let store = engine.store();
    let Some(atomic) = store.atomic() else {
        // Without a conditional write, the best there is: as short a time as can be between read and write.
        let Some(mut current) = store.get(id).await? else { return Ok(None) };
        current.merge(ours);
        let record = lay(&current);
        store.set(id, &record).await?;
        return Ok(Some(record));
    };
    let mut record = lay(ours);
    loop {
        match atomic.update(id, &record).await? {
            Updated::Stored(revision) => {
                record.mark_stored(revision);
                return Ok(Some(record));
            }
            Updated::Gone => return Ok(None),
            Updated::Conflict(mut current) => {
                current.merge(ours);
                record = lay(&current);
            }
        }
    }
}

pub(crate) async fn save(shared: &Shared) -> Result<bool, Error> {
    let (write, snapshot) = {
        let state = shared.open_for_change("save")?;
        let record = state.record("save")?;
        let Some(write) = Write::of(&state, record) else { return Ok(false) };
        (write, record.clone())
    };
    let extends = extends_on_write(shared);
    let written = shared.engine.within("save", write.run(shared, extends)).await?;
    let mut state = shared.state();
    let Some((id, stored)) = written else { return Ok(false) };
    let stored = match &state.current {
        Current::Live(record) => with_later_changes(stored, &snapshot, record),
        // Dropped meanwhile by another handle, which has seen to the store itself.
        Current::Destroyed(_) | Current::Unset(_) => return Ok(true),
    };
    state.id = id;
    state.current = Current::Live(stored);
    if let Rules::Safe(rules) = &mut state.rules {
        rules.is_stored = true;
        rules.is_extended = true;
        rules.is_touched = false;
        rules.is_replacement = false;
        rules.old_ids.clear();
        rules.keeps_data = false;
    }
    Ok(true)
}

fn extends_on_write(shared: &Shared) -> bool {
    shared.engine.options().touch_after == TouchAfter::EachRequest
}

/// The stored record, with what was changed in `record` after it had been copied to `snapshot`.
fn with_later_changes(mut stored: Record, snapshot: &Record, record: &Record) -> Record {
    let names: Vec<&str> = snapshot.changed_keys().chain(record.changed_keys()).collect();
    for name in names {
        let now = record.get_json(name);
        if now == snapshot.get_json(name) {
            continue;
        }
        match now {
            // Both were checked when they were set.
            Some(json) => drop(stored.insert_json(name, json)),
            None => drop(stored.remove(name)),
        }
    }
    if record.cookie() != snapshot.cookie() {
        *stored.cookie_mut() = record.cookie().clone();
    }
    stored
}

/// What is left to do when the handler is done.
enum End {
    /// Nothing was changed, and nothing need be written.
    Read {
        id: String,
        record: Record,
        is_extended: bool,
    },
    Write(Write, Extends),
    Drop {
        ids: Vec<String>,
        cookie: Cookie,
    },
    Nothing,
}

/// Whether a write moves the expiry.
type Extends = bool;

pub(crate) async fn commit(shared: &Shared) -> Result<Option<HeaderValue>, Error> {
    let engine = &shared.engine;
    let (end, browser) = {
        let mut state = shared.state();
        state.is_closed = true;
        let browser = match &mut state.rules {
            Rules::Safe(rules) => rules.browser.take(),
            Rules::Express(_) => None,
        };
        (end(shared, &state, browser.as_ref()), browser)
    };
    engine.within("commit", finish(shared, end, browser.as_ref())).await
}

fn end(shared: &Shared, state: &State, browser: Option<&Cookie>) -> End {
    let options = shared.engine.options();
    let Rules::Safe(rules) = &state.rules else { return End::Nothing };
    if state.refused.is_some() {
        return End::Nothing;
    }
    let record = match &state.current {
        Current::Live(record) => record,
        Current::Destroyed(cookie) => {
            return End::Drop { ids: Vec::new(), cookie: cookie.clone() };
        }
        Current::Unset(cookie) if options.unset == Unset::Destroy => {
            return End::Drop { ids: ids_in_store(state), cookie: cookie.clone() };
        }
        Current::Unset(_) => return End::Nothing,
    };
    let is_due = rules.is_stored && (rules.is_touched || is_due(shared, record, browser));
    let is_written = if rules.is_stored {
        is_due || record.is_changed() || record.is_cookie_changed()
    } else {
        rules.is_replacement || record.is_changed() || options.save_uninitialized
    };
    if !is_written {
        let read = || End::Read {
            id: state.id.clone(),
            record: record.clone(),
            is_extended: rules.is_extended,
        };
        let dropped = rules.destroyed.clone().map(|cookie| End::Drop { ids: Vec::new(), cookie });
        return rules.is_stored.then(read).or(dropped).unwrap_or(End::Nothing);
    }
    if !rules.is_stored && record.cookie().secure() && !shared.request.is_secure {
        // It could never come back.
        let message = "a new session was not stored: its cookie is Secure and the request is not; \
                       the option \"proxy\" says which header to believe";
        options.tell(&Error::new(ErrorKind::Config, "session", "commit", message));
        return End::Nothing;
    }
    let extends = extends_on_write(shared) || is_due;
    Write::of(state, record).map_or(End::Nothing, |write| End::Write(write, extends))
}

/// Whether a session that was only read is to be written, so that it and the browser's copy live on.
fn is_due(shared: &Shared, record: &Record, browser: Option<&Cookie>) -> bool {
    let options = shared.engine.options();
    let cookie = browser.unwrap_or_else(|| record.cookie());
    let (Some(expires_ms), Some(max_age_ms)) = (cookie.expires_ms(), cookie.original_max_age_ms())
    else {
        return false;
    };
    let left_ms = expires_ms.saturating_sub(shared.engine.now_ms());
    match options.touch_after {
        TouchAfter::EachRequest => options.rolling && left_ms < max_age_ms / 2,
        TouchAfter::Elapsed(after) => max_age_ms.saturating_sub(left_ms) >= milliseconds(after),
        TouchAfter::Never => false,
    }
}

async fn finish(
    shared: &Shared,
    end: End,
    browser: Option<&Cookie>,
) -> Result<Option<HeaderValue>, Error> {
    let engine = &shared.engine;
    match end {
        End::Nothing => Ok(None),
        End::Drop { ids, cookie } => {
            for id in &ids {
                engine.store().destroy(id).await?;
            }
            Ok(shared.request.has_cookie.then(|| engine.clear_cookie(&cookie)).transpose()?)
        }
        End::Write(write, extends) => match write.run(shared, extends).await? {
            Some((id, record)) => cookie_for(shared, &id, record.cookie(), browser),
            // Logged out meanwhile. The browser may have a newer cookie by now, which is not ours to clear.
            None => Ok(None),
        },
        End::Read { id, record, is_extended } => {
            let mut extended = record.clone();
            extend(&mut extended, engine.now_ms());
            if !is_extended && extends_on_write(shared) {
                // Nothing of the request is lost if it fails.
                let touched = engine.store().touch(&id, &extended).await;
                touched.map_or_else(|error| engine.options().tell(&error), drop);
            }
            // The browser's copy differs after a save; there is none of a secret that is still in use after a rotation.
            let is_past = record.time_to_live(engine.now_ms()) == TimeToLive::Expired;
            let told = if is_past { &extended } else { &record };
            if browser == Some(record.cookie()) {
                Ok(None)
            } else {
                cookie_for(shared, &id, told.cookie(), browser)
            }
        }
    }
}

/// The line for the browser, if its copy is another one and it would take this one.
fn cookie_for(
    shared: &Shared,
    id: &str,
    cookie: &Cookie,
    browser: Option<&Cookie>,
) -> Result<Option<HeaderValue>, Error> {
    let is_withheld = cookie.secure() && !shared.request.is_secure;
    if is_withheld || browser == Some(cookie) {
        return Ok(None);
    }
    shared.engine.set_cookie(id, cookie).map(Some)
}
