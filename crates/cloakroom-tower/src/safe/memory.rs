//! What the safe preset remembers of a request.

use std::sync::Arc;

use cloakroom_core::{Cookie, SessionData};
use http::HeaderValue;

use crate::{
    computed::{Computation, ComputedMember},
    ids::FoundId,
    state::{self, Current, State},
};

/// What the safe preset remembers of a request. Cookies are boxed, because they are large, and rarely there.
#[derive(Default)]
pub(crate) struct Memory {
    /// The record is in the store under the session's id.
    pub(super) is_stored: bool,
    /// Loading the session has also extended it.
    pub(super) is_extended: bool,
    /// The store has refused to extend it while it was loaded. This request does not ask it to extend again.
    pub(super) is_refused: bool,
    /// The handler has called `touch`.
    pub(super) is_touched: bool,
    /// The cookie as the browser has it. `None` if the browser has none for this id, or one that an old secret signed.
    pub(super) browser: Option<Browser>,
    /// Changes that are computed again if another request has changed the record when it is written.
    pub(super) computed: Vec<ComputedMember>,
    /// The ids that this session had before and that are still in the store, the newest last.
    pub(super) old_ids: Vec<String>,
    /// The session under the last of the old ids, for `rollback`.
    pub(super) replaced: Option<Replaced>,
    /// The members come from the record under the last of the old ids.
    pub(super) keeps_data: bool,
    /// The cookie of a session that was destroyed before this one was made. If this one is not stored, the browser
    /// still has to forget that cookie.
    pub(super) destroyed: Option<Box<Cookie>>,
    /// The ids of all cookies of our name that verify, one each.
    pub(super) sent: Vec<Arc<FoundId>>,
    /// The handler asked for a new id, and not only for a session in place of one that it has destroyed.
    pub(super) is_replaced: bool,
    /// The id and the cookie that `save` has stored last.
    pub(super) saved: Option<Box<(String, Cookie)>>,
    /// The id and the cookie that the current write has stored. Kept here, since that write can still fail or be
    /// dropped, and the error's response has to tell the browser of it.
    pub(super) written: Option<Box<(String, Cookie)>>,
    /// The new session that the current write stores, or that one which was dropped may have stored.
    pub(super) begun: Option<Begun>,
    /// The `Set-Cookie` line for what is stored although the end of the request failed.
    pub(super) after_error: Option<HeaderValue>,
    /// When the request asked for its session, just before the store was asked.
    pub(super) loaded_at_ms: i64,
    /// The operator was told that this response's cookie is withheld.
    pub(super) is_withheld: bool,
    /// Another request had logged out the session before this request did.
    pub(super) is_logged_out_already: bool,
    /// That session was there when this request loaded it, so the browser may have got a newer cookie since then.
    pub(super) is_late_logout: bool,
}

impl state::Memory for Memory {
    fn add_computed(&mut self, record: &SessionData, name: &str, compute: &Arc<Computation>) {
        let is_first = !self.computed.iter().any(|member| &*member.name == name);
        if is_first && record.changed_keys().any(|changed| changed == name) {
            // `insert` and then `modify`: the computation starts from what this request has set, not from what another
            // request has stored, when it runs again.
            self.computed.push(ComputedMember::fixed(record, name));
        }
        self.computed.push(ComputedMember { name: name.into(), compute: Arc::clone(compute) });
    }

    fn take_computed(&mut self, name: Option<&str>) -> Vec<ComputedMember> {
        let is_taken = |member: &mut ComputedMember| name.is_none_or(|name| &*member.name == name);
        self.computed.extract_if(.., is_taken).collect()
    }
}

/// A new session that is being stored.
pub(super) struct Begun {
    pub(super) id: String,
    /// The old session has ended, so this one stays.
    pub(super) has_replaced: bool,
}

/// The cookie that the browser has of the session.
#[derive(Clone)]
pub(super) struct Browser {
    pub(super) found: Arc<FoundId>,
    /// The record as it was loaded: its cookie is the browser's.
    pub(super) record: Arc<SessionData>,
}

impl Browser {
    /// Returns true if the browser has this cookie.
    pub(super) fn has(browser: Option<&Self>, cookie: &Cookie) -> bool {
        browser.is_some_and(|browser| browser.record.cookie() == cookie)
    }
}

/// The stored session that a new id has replaced in this request.
pub(super) struct Replaced {
    pub(super) id: String,
    pub(super) record: Arc<SessionData>,
    pub(super) is_new: bool,
    pub(super) is_brought: bool,
    pub(super) browser: Option<Browser>,
}

impl Replaced {
    /// Takes the session that is about to be replaced, or `None` if it is not in the store: then there is nothing to go
    /// back to.
    pub(super) fn of(state: &State<Memory>) -> Option<Self> {
        let (Current::Live(record) | Current::Unset(record)) = &state.current else { return None };
        let memory = &state.memory;
        memory.is_stored.then(|| Self {
            id: state.id.clone(),
            record: Arc::clone(record),
            is_new: state.is_new,
            is_brought: state.is_brought,
            browser: memory.browser.clone(),
        })
    }
}

/// Returns the ids that a logout in this request ends: those of all cookies that the browser sent, and those that the
/// request itself has stored. If only the current one ended, the browser's next request would present another.
pub(super) fn ids_to_log_out(state: &State<Memory>) -> Vec<String> {
    let memory = &state.memory;
    let begun = memory.begun.as_ref().map(|begun| &begun.id);
    let own = memory.is_stored.then_some(&state.id).or(begun);
    let mut ids: Vec<String> = Vec::new();
    for id in memory.sent.iter().map(|found| &found.id).chain(&memory.old_ids).chain(own) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}
