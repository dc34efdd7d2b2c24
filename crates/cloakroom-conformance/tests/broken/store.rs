//! Defects of the plain operations and of touch.

use async_trait::async_trait;
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use futures::FutureExt;

use crate::broken::{
    Broken, OnDrop,
    Op::{Create, Destroy, Get, Set, Touch, Update},
    Past, refused, replaced, wait, wrong_revision,
};

impl Broken {
    /// What a read makes of a record that is there.
    fn misread(&self, past: &Past, session: SessionData) -> Option<SessionData> {
        let set = past.written_by(Set);
        let text = session.loaded_json();
        let cut = |from: &str, to: &str| replaced(&session, from, to);
        Some(match self.shared.defect {
            "unknown_members_come_back" if set => cut("\"nothing\":null,", ""),
            "unknown_cookie_members_come_back" if set => cut(",\"tag\":\"x\"", ""),
            "numbers_come_back_as_written" if set => cut("\"a\":1.0", "\"a\":1"),
            "escapes_come_back_as_written" if set => cut("\\u00eb", "ë"),
            "lone_surrogates_come_back" if set => cut("\\ud83d", "\\ufffd"),
            "unicode_comes_back" if set => cut("\u{2028}", "\\u2028"),
            "spaces_come_back" if set => cut("\n\t", ""),
            "crlf_between_tokens_comes_back" if set => cut("\r\n", "\n"),
            "member_order_comes_back" if set => {
                cut("\"10\":1,\"a\":1,\"2\":1", "\"2\":1,\"10\":1,\"a\":1")
            }
            "doubled_names_come_back" if set => cut("\"twice\":\"first\",", ""),
            "a_session_without_members_comes_back" if session.is_empty() => return None,
            "a_session_outlives_its_stale_cookie"
                if session.cookie().original_max_age_ms() == Some(1_000)
                    && self.left_ms(&session).is_some_and(|left_ms| left_ms <= 0) =>
            {
                return None;
            }
            "get_carries_the_current_revision" if past.is(&[Set, Get, Update, Get]) => {
                session.with_revision(wrong_revision())
            }
            "create_stores" if past.written_by(Create) => cut("\"one\":1.0", "\"one\":1"),
            "update_stores" if past.written_by(Update) => cut("\"one\":1.0", "\"one\":1"),
            "a_conflict_changes_nothing"
                if past.is(&[Set, Get, Set, Update, Get]) && text.contains("somebody else") =>
            {
                cut("somebody else", "ann")
            }
            "a_foreign_record_is_read" if past.is(&[Get]) => cut("\"n\":1.0", "\"n\":1"),
            "a_thousand_tasks_share_a_store" if set => cut("\"number\":950", "\"number\":951"),
            "large_records_are_read_at_once" if past.count(Get) > 9 && text.len() > 400_000 => {
                return None;
            }
            _ => session,
        })
    }

    async fn misget(&self, past: &Past, sid: &str) -> Result<Option<SessionData>, Error> {
        if let Some(misread) = self.misread_foreign(past, sid) {
            return misread;
        }
        let found = self.inner().get(sid).await?.and_then(|session| self.misread(past, session));
        let known = || self.notes().last.get(sid).cloned();
        Ok(match (self.shared.defect, found) {
            ("get_missing_is_none", None) if past.is(&[Get, Get]) && past.calls == 3 => {
                Some(SessionData::new())
            }
            ("set_creates", Some(_)) if past.is(&[Get, Set, Get]) => None,
            ("destroy_removes", None) if past.is(&[Set, Destroy, Get]) => known(),
            ("an_expired_session_is_gone", None)
                if past.count(Get) + 1 == past.calls && past.ops[0] == Set =>
            {
                known().filter(|session| session.cookie().original_max_age_ms() == Some(1_000))
            }
            ("get_and_touch_counts_up_to_the_next_second", Some(session)) => {
                let end_ms = self.notes().ends_ms.get(sid).copied();
                (end_ms > Some(self.now_ms()) || end_ms.is_none()).then_some(session)
            }
            ("a_second_handle_sees_a_set", Some(_)) if past.hands == [0, 1] => None,
            ("a_second_handle_sees_a_replacement", Some(session)) if self.hand == 1 => {
                Some(self.notes().told.entry(sid.to_owned()).or_insert(session).clone())
            }
            ("a_second_handle_sees_a_destroy", found) if self.hand == 1 => {
                let mut notes = self.notes();
                if let Some(session) = &found {
                    notes.told.insert(sid.to_owned(), session.clone());
                }
                found.or_else(|| notes.told.get(sid).cloned())
            }
            (_, found) => found,
        })
    }

    /// `None` if nothing is left to do.
    async fn misset(&self, past: &Past, sid: &str, session: &SessionData) -> Option<SessionData> {
        let live = self.inner().get(sid).await.ok().flatten();
        let loaded = || replaced(session, "", "");
        let mut session = self.miswrite_foreign(past, session.clone());
        match self.shared.defect {
            "set_replaces" if past.is(&[Set, Set]) => {
                for member in live.iter().flat_map(SessionData::iter) {
                    if !session.contains(member.name()) {
                        session.insert_json(member.name(), member.json()).unwrap();
                    }
                }
            }
            "set_replaces_whoever_wrote_last" => {
                let now_at = live.as_ref().and_then(SessionData::revision);
                if session.revision().is_some() && session.revision() != now_at {
                    return None;
                }
            }
            "set_stores_changed_members"
                if sid == "id" && past.ops[0] == Set && session.revision().is_some() =>
            {
                session = loaded();
            }
            "set_keeps_a_copy_for_its_time" if session.store_expiry_ms().is_some() => {
                session = self.living(&session, 60);
            }
            "set_extends_a_session_that_was_read" => session = self.literal(&session, false),
            "set_keeps_a_session_with_a_stale_cookie" if !session.is_cookie_changed() => {
                session = self.literal(&session, true);
            }
            "an_attribute_that_is_changed_ends_no_session" if session.is_cookie_changed() => {
                session = self.literal(&session, true);
            }
            "set_with_an_expiry_that_is_not_a_date_is_kept" if self.has_no_date(&session) => {
                return None;
            }
            "set_with_a_passed_expiry_stores_nothing"
                if live.is_none() && self.has_expired(&session) =>
            {
                session = self.living(&session, 60);
            }
            "set_with_a_passed_expiry_destroys"
                if past.is(&[Set, Set]) && live.is_some() && self.has_expired(&session) =>
            {
                return None;
            }
            "a_passed_expiry_leaves_no_record" if live.is_some() && self.has_expired(&session) => {
                self.inner().end(sid);
                return None;
            }
            "set_creates_over_an_expired_session"
                if live.is_none()
                    && past.is(&[Set, Set])
                    && self.notes().first.get(sid).is_some_and(|first| self.has_expired(first)) =>
            {
                return None;
            }
            "a_cleared_store_takes_sessions" if self.notes().cleared.iter().any(|id| id == sid) => {
                return None;
            }
            "concurrent_sessions_do_not_mix" if sid.starts_with("id-") => {
                self.notes().buffer = Some(session);
                wait().await;
                session = self.notes().buffer.clone()?;
            }
            "concurrent_sets_leave_one_whole_record" => {
                let under_way = self.notes().buffers.insert(sid.to_owned(), session.clone());
                wait().await;
                self.notes().buffers.remove(sid);
                if let Some(end) = under_way.as_ref().and_then(|other| other.get_json("end")) {
                    session.insert_json("end", end).unwrap();
                }
            }
            "a_dropped_set_leaves_a_whole_record" if sid.starts_with("dropped") => {
                self.half_when_dropped(sid).await;
            }
            "a_dropped_set_leaves_no_endless_record" => {
                self.endless_when_dropped(sid, &session).await;
            }
            "a_dropped_set_of_a_new_session_leaves_no_half" if sid.parse::<u8>().is_ok() => {
                self.half_when_dropped(sid).await;
            }
            _ => {}
        }
        Some(session)
    }

    /// Leaves half a record when it is dropped on the way.
    pub(crate) async fn half_when_dropped(&self, sid: &str) {
        let act = || drop(self.inner().set(sid, &SessionData::new()).now_or_never());
        let mut guard = OnDrop { act, armed: true };
        wait().await;
        guard.armed = false;
    }
}

#[async_trait]
impl Store for Broken {
    fn name(&self) -> &str {
        "memory"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let past = self.past(Get, sid);
        let sid = self.renamed(sid)?;
        let is_lost = match self.shared.defect {
            "calls_work_on_any_runtime" => self.is_elsewhere() && sid.contains('-'),
            "a_runtime_that_ends_breaks_no_other" => self.is_elsewhere() && self.has_threads(),
            "a_runtime_that_lacks_something_is_a_config_error" => {
                tokio::runtime::Handle::try_current().is_err()
            }
            _ => false,
        };
        if is_lost {
            return Err(Error::new(ErrorKind::Unavailable, "memory", "get", "nobody is there"));
        }
        let is_poisonous = match self.shared.defect {
            "a_dropped_get_disturbs_no_other" => sid == "ann",
            "a_dropped_call_leaves_the_others_their_answers" => sid.parse::<u8>().is_ok(),
            _ => false,
        };
        if std::mem::take(&mut self.notes().poisoned) {
            return Ok(None);
        }
        if is_poisonous {
            let mut guard = OnDrop { act: || self.notes().poisoned = true, armed: true };
            wait().await;
            guard.armed = false;
        }
        self.misget(&past, &sid).await.map_err(|error| match self.shared.defect {
            "errors_carry_the_stores_name" => error.with_context("another", "get"),
            _ => error,
        })
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let past = self.past(Set, sid);
        let sid = self.renamed(sid)?;
        let length = session.to_json().len();
        let why = match self.shared.defect {
            "a_record_without_cookie_gets_one" if session.get_json("cookie").is_none() => {
                Some((ErrorKind::InvalidData, "no cookie"))
            }
            "a_record_of_100_kb_comes_back" if (65_536..200_000).contains(&length) => {
                Some((ErrorKind::TooLarge, "more than 64 KB"))
            }
            "a_record_of_1_mb_comes_back_or_is_too_large"
                if length >= 1 << 20 && sid == "large" =>
            {
                Some((ErrorKind::Other, "the server said no"))
            }
            "an_index_refuses_no_session"
                if self.notes().is_indexed && session.to_json().contains("1e999") =>
            {
                Some((ErrorKind::InvalidData, "a number that no index takes"))
            }
            "a_corrupt_record_can_be_replaced"
                if past.is(&[Set]) && self.is_corrupt(&sid).await =>
            {
                Some((ErrorKind::Corrupt, "no JSON"))
            }
            _ => None,
        };
        if let Some((kind, message)) = why {
            return Err(Error::new(kind, "memory", "set", message));
        }
        let was_live = self.inner().get(&sid).await.is_ok_and(|found| found.is_some());
        let Some(session) = self.misset(&past, &sid, session).await else { return Ok(()) };
        self.inner().set(&sid, &session).await?;
        let first = {
            let mut notes = self.notes();
            if !self.has_expired(&session) {
                notes.last.insert(sid.clone(), session.clone());
            }
            notes.first.entry(sid.clone()).or_insert_with(|| session.clone()).clone()
        };
        if let Some(seconds) = self.miscounted(&session) {
            self.inner().touch(&sid, &self.living(&session, seconds)).await?;
        }
        if self.shared.defect == "set_replaces_the_expiry"
            && was_live
            && session.revision().is_none()
        {
            self.inner().touch(&sid, &first).await?;
        }
        Ok(())
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let past = self.past(Destroy, sid);
        let sid = self.renamed(sid)?;
        match self.shared.defect {
            "an_empty_id_is_refused" if sid.is_empty() => return Ok(()),
            "destroy_missing_is_no_error"
                if past.is(&[Destroy]) && !sid.is_empty() && !self.is_corrupt(&sid).await =>
            {
                return Err(Error::new(ErrorKind::Other, "memory", "destroy", "nothing there"));
            }
            "sequences_match_a_model"
                if past.count(Destroy) > 1 && !self.is_corrupt(&sid).await =>
            {
                return Ok(());
            }
            "a_corrupt_record_can_be_destroyed" if self.is_corrupt(&sid).await => return Ok(()),
            _ => {}
        }
        self.inner().destroy(&sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let past = self.past(Touch, sid);
        let sid = &*self.renamed(sid)?;
        let defect = self.shared.defect;
        if defect == "touch_refuses_an_empty_id" && sid.is_empty() {
            return Ok(Touched::Missing);
        }
        if defect == "touch_takes_every_id_that_set_takes" && sid.contains('/') {
            return Err(refused("a slash"));
        }
        let live = match self.inner().get(sid).await {
            Err(error) if error.kind() == ErrorKind::InvalidId => return Err(error),
            found => found.ok().flatten(),
        };
        if live.is_some() {
            self.racing_visit(sid, "a_touch").await?;
        }
        let was_set = past.ops[0] == Set;
        let (browser, expired) = (self.left_ms(session).is_none(), self.has_expired(session));
        let again = past.is(&[Set, Touch, Touch]);
        let known = self.notes().last.get(sid).cloned();
        match (defect, live) {
            ("touch_extends_a_session_that_was_read", Some(_)) => {
                self.inner().touch(sid, &self.literal(session, false)).await
            }
            ("touch_with_an_expiry_that_is_not_a_date_extends", Some(_))
                if self.has_no_date(session) =>
            {
                self.inner().destroy(sid).await?;
                Ok(Touched::Extended)
            }
            ("touch_leaves_the_stored_record_as_it_is", Some(_)) if past.is(&[Get, Touch]) => {
                self.inner().set(sid, session).await?;
                Ok(Touched::Extended)
            }
            ("touch_answers_extended", Some(_)) if past.calls == 2 => {
                self.inner().touch(sid, session).await?;
                Ok(Touched::Missing)
            }
            ("touch_extends", Some(_)) if again && !browser => Ok(Touched::Extended),
            ("touch_of_a_browser_session_gives_the_default", Some(_)) if again && browser => {
                Ok(Touched::Extended)
            }
            ("touch_shortens", Some(_))
                if self.is_short(session) && session.revision().is_none() =>
            {
                Ok(Touched::Extended)
            }
            ("touch_keeps_the_members", Some(live))
                if was_set && sid == "id" && live.get_json("who") != session.get_json("who") =>
            {
                let mut other = session.clone();
                *other.cookie_mut() = live.cookie().clone();
                self.inner().set(sid, &other).await?;
                self.inner().touch(sid, session).await
            }
            ("touch_keeps_the_cookie", Some(mut live))
                if was_set && live.cookie() != session.cookie() && !expired =>
            {
                *live.cookie_mut() = session.cookie().clone();
                self.inner().set(sid, &live).await?;
                Ok(Touched::Extended)
            }
            ("touch_missing_is_missing", None) if past.is(&[Touch]) => Ok(Touched::Extended),
            ("touch_never_creates", None) if past.is(&[Touch]) => {
                self.inner().set(sid, session).await?;
                Ok(Touched::Missing)
            }
            ("touch_never_revives", None) if known.is_some() && !past.has(Destroy) && !expired => {
                self.inner().set(sid, session).await?;
                Ok(Touched::Missing)
            }
            ("touch_with_a_passed_expiry_ends_the_session", Some(_)) if expired => {
                Ok(Touched::Missing)
            }
            ("touch_with_a_passed_expiry_is_missing", Some(_)) if expired => {
                self.inner().touch(sid, session).await?;
                Ok(Touched::Extended)
            }
            ("touch_keeps_the_revision", Some(live)) => {
                self.inner().set(sid, &live).await?;
                self.inner().touch(sid, session).await
            }
            _ => self.inner().touch(sid, session).await,
        }
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}
