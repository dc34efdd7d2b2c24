//! Defects of the conditional writes.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{Atomic, Created, Error, ErrorKind, SessionData, Store, Updated};

use crate::broken::{
    Broken, OnDrop,
    Op::{Create, Destroy, Get, GetAndTouch, Set, Update},
    Past, refused, replaced, wait, wrong_revision,
};

const SECOND: Duration = Duration::from_secs(1);

impl Broken {
    /// The create of a store that asks first and writes later.
    async fn racing_create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        if self.inner().get(sid).await?.is_some() {
            return Ok(Created::Exists);
        }
        wait().await;
        self.inner().set(sid, session).await?;
        let stored = self.inner().get(sid).await?.and_then(|stored| stored.revision().cloned());
        Ok(Created::Stored(stored.unwrap_or_else(wrong_revision)))
    }

    /// The update of a store that asks first and writes later.
    async fn racing_update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        match self.inner().get(sid).await? {
            None => Ok(Updated::Gone),
            Some(live) if live.revision() != session.revision() => Ok(Updated::Conflict(live)),
            Some(_) => {
                wait().await;
                self.write(sid, session).await
            }
        }
    }

    pub(crate) async fn write(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.inner().set(sid, session).await?;
        let stored = self.inner().get(sid).await?.and_then(|stored| stored.revision().cloned());
        Ok(Updated::Stored(stored.unwrap_or_else(wrong_revision)))
    }

    /// What becomes of an update that is refused.
    async fn missed(
        &self,
        past: &Past,
        sid: &str,
        session: &SessionData,
        current: SessionData,
    ) -> Result<Updated, Error> {
        let as_long = current.loaded_json().len() == session.loaded_json().len();
        Ok(match self.shared.defect {
            "update_notices_an_update" if past.is(&[Set, Get, Get, Update, Update]) => {
                return self.write(sid, session).await;
            }
            "update_notices_a_set"
                if as_long && past.ops[..past.ops.len() - 1].ends_with(&[Set]) =>
            {
                return self.write(sid, session).await;
            }
            "update_notices_a_session_made_again" if past.has(Destroy) => {
                return self.write(sid, session).await;
            }
            "update_notices_a_second_handle" if past.hands == [0, 0, 1, 0] => {
                return self.write(sid, session).await;
            }
            "a_stale_update_with_a_passed_expiry_destroys_nothing" if self.has_expired(session) => {
                self.inner().destroy(sid).await?;
                Updated::Conflict(current)
            }
            "update_notices_a_foreign_write" if past.is(&[Get, Update]) => {
                return self.write(sid, session).await;
            }
            "a_conflict_brings_the_current_record" if past.ops[0] == Set => {
                let revision = current.revision().cloned().unwrap_or_else(wrong_revision);
                Updated::Conflict(session.clone().with_revision(revision))
            }
            "a_conflict_can_be_retried" if past.ops[0] == Set => {
                Updated::Conflict(current.with_revision(wrong_revision()))
            }
            _ => Updated::Conflict(current),
        })
    }
}

#[async_trait]
impl Atomic for Broken {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let past = self.past(Create, sid);
        let sid = &*self.renamed(sid)?;
        let defect = self.shared.defect;
        if defect == "conditional_writes_refuse_an_empty_id" && sid.is_empty() {
            return Ok(Created::Exists);
        }
        if defect == "conditional_writes_take_every_id_that_set_takes" && sid.contains('/') {
            return Err(refused("a slash"));
        }
        let length = session.to_json().len();
        if defect == "conditional_writes_take_every_record_that_set_takes" && length > 1 << 20 {
            return Err(Error::new(ErrorKind::TooLarge, "memory", "create", "more than 1 MB"));
        }
        if defect == "a_dropped_create_leaves_no_endless_record" {
            self.endless_when_dropped(sid, session).await;
        }
        if let Some(created) = self.create_in_turn(sid, session).await? {
            return Ok(created);
        }
        if defect == "create_has_one_winner" && sid.starts_with("id-") {
            return self.racing_create(sid, session).await;
        }
        let live = self.inner().get(sid).await?;
        let expired = self.has_expired(session);
        let stored = Created::Stored(wrong_revision());
        match (defect, live) {
            ("create_notices_a_set", Some(_))
                if past.is(&[Set, Create]) && past.hands == [0, 0] && !expired =>
            {
                return Ok(stored);
            }
            ("create_notices_a_second_handle", Some(_)) if past.hands == [1, 0] => {
                return Ok(stored);
            }
            ("create_twice_is_exists", Some(_)) if past.is(&[Create, Get, Create]) => {
                return Ok(stored);
            }
            ("create_keeps_the_session_that_exists", Some(_))
                if past.is(&[Create, Get, Create]) =>
            {
                self.inner().set(sid, session).await?;
            }
            ("create_keeps_the_expiry_that_exists", Some(_)) if self.is_short(session) => {
                self.inner().touch(sid, session).await?;
            }
            ("create_with_a_passed_expiry_keeps_the_session_that_exists", Some(_)) if expired => {
                self.inner().destroy(sid).await?;
                return Ok(Created::Exists);
            }
            ("create_over_an_expired_session_stores", None) if past.is(&[Set, Create]) => {
                return Ok(Created::Exists);
            }
            ("create_after_destroy_stores", None) if past.is(&[Set, Destroy, Create]) => {
                return Ok(Created::Exists);
            }
            ("create_with_a_passed_expiry_stores_nothing", None) if expired => {
                return self.inner().create(sid, &self.living(session, 60)).await;
            }
            ("conditional_sequences_match_a_model", None) if past.count(Create) > 2 => {
                return Ok(stored);
            }
            _ => {}
        }
        let session = &match defect {
            "create_keeps_a_copy_for_its_time" if session.store_expiry_ms().is_some() => {
                self.living(session, 60)
            }
            "create_extends_a_session_that_was_read" => self.literal(session, false),
            _ => session.clone(),
        };
        let created = self.inner().create(sid, session).await?;
        match (defect, created) {
            ("create_answers_the_revision", Created::Stored(_)) => Ok(stored),
            ("conditional_writes_count_the_time_as_set_does", created)
                if self.left_ms(session) > Some(1_000_000_000) =>
            {
                self.inner().touch(sid, &self.living(session, 86_400)).await?;
                Ok(created)
            }
            ("create_gives_the_time_to_live", created)
                if sid == "short" && self.is_short(session) =>
            {
                self.inner().touch(sid, &self.living(session, 60)).await?;
                Ok(created)
            }
            (_, created) => Ok(created),
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let past = self.past(Update, sid);
        let sid = &*self.renamed(sid)?;
        let defect = self.shared.defect;
        let live = self.inner().get(sid).await?;
        let expired = self.has_expired(session);
        if let Some(updated) = self.update_in_turn(sid, session).await? {
            return Ok(updated);
        }
        let stale = live.as_ref().is_none_or(|live| live.revision() != session.revision());
        let orphaned = sid == "id" && past.is(&[Set, Get, Destroy, Update]);
        match defect {
            "update_without_a_revision_is_invalid_data" if session.revision().is_none() => {
                return self.write(sid, session).await;
            }
            "a_refusal_quotes_nothing" if session.revision().is_none() => {
                let message = format!("the session {sid} was not read");
                return Err(Error::new(ErrorKind::InvalidData, "memory", "update", message));
            }
            "concurrent_updates_lose_nothing" if sid == "id" && session.revision().is_some() => {
                return self.racing_update(sid, session).await;
            }
            "of_updates_that_meet_one_is_stored" if past.ops.starts_with(&[Set, Get, Update]) => {
                // Each gives way to the others.
                let before = {
                    let mut notes = self.notes();
                    notes.updates += 1;
                    notes.under_way += 1;
                    (notes.updates, notes.under_way)
                };
                let _ended = OnDrop { act: || self.notes().under_way -= 1, armed: true };
                wait().await;
                let is_alone = before == (self.notes().updates, 1);
                if let (Some(live), false) = (live, is_alone) {
                    return Ok(Updated::Conflict(live));
                }
            }
            "a_dropped_update_leaves_a_whole_record" => self.half_when_dropped(sid).await,
            "update_without_changes_is_stored"
                if !session.is_changed() && !session.is_cookie_changed() && !stale =>
            {
                return Ok(live.map_or(Updated::Gone, Updated::Conflict));
            }
            "update_with_an_expiry_that_is_not_a_date_is_kept" if self.has_no_date(session) => {
                self.inner().destroy(sid).await?;
                return Ok(Updated::Stored(wrong_revision()));
            }
            "update_with_a_passed_expiry_destroys" if expired && !stale => {
                return Ok(Updated::Stored(wrong_revision()));
            }
            _ => {}
        }
        let session = &match defect {
            "update_extends_a_session_that_was_read" => self.literal(session, false),
            "update_keeps_a_session_with_a_stale_cookie" => self.literal(session, true),
            _ => session.clone(),
        };
        match (defect, self.inner().update(sid, session).await?) {
            ("update_answers_the_next_revision", Updated::Stored(_)) => {
                Ok(Updated::Stored(wrong_revision()))
            }
            ("update_gives_the_time_to_live", updated @ Updated::Stored(_))
                if session.is_cookie_changed()
                    && ["longer", "shorter", "browser"].contains(&sid) =>
            {
                let first = self.notes().first.get(sid).cloned().unwrap_or_default();
                self.inner().touch(sid, &first).await?;
                Ok(updated)
            }
            ("update_of_a_destroyed_session_is_gone", Updated::Gone) if orphaned => {
                Ok(Updated::Stored(wrong_revision()))
            }
            ("update_never_brings_back_a_destroyed_session", Updated::Gone) if orphaned => {
                self.inner().set(sid, session).await?;
                Ok(Updated::Gone)
            }
            ("update_of_a_foreign_none_is_gone", Updated::Gone)
                if self.inner().text(sid).is_some_and(|text| text == "null") =>
            {
                self.write(sid, session).await
            }
            ("update_never_revives", Updated::Gone)
                if !past.has(Destroy) && self.inner().text(sid).as_deref() != Some("null") =>
            {
                self.write(sid, session).await
            }
            (_, Updated::Conflict(current)) => self.missed(&past, sid, session, current).await,
            (_, updated) => Ok(updated),
        }
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let past = self.past(GetAndTouch, sid);
        let sid = &*self.renamed(sid)?;
        let defect = self.shared.defect;
        let text = self.inner().text(sid);
        if defect == "conditional_calls_on_what_is_not_a_session_are_corrupt"
            && text.as_deref() == Some("4267")
        {
            return Ok(None);
        }
        self.racing_visit(sid, "a_get_and_touch").await?;
        let live = self.inner().get(sid).await?;
        let seconds = ttl.map_or(0, |ttl| i64::try_from(ttl.as_secs()).unwrap());
        let zero = ttl == Some(Duration::ZERO);
        let again = past.is(&[Set, GetAndTouch, GetAndTouch]);
        let known = self.notes().last.get(sid).cloned();
        match (defect, &live) {
            ("get_and_touch_extends", Some(_)) if again && ttl.is_some() => return Ok(live),
            ("get_and_touch_without_ttl_gives_the_default", Some(_)) if again && ttl.is_none() => {
                return Ok(live);
            }
            ("every_call_gives_a_browser_session_the_same_time", Some(_)) if ttl.is_none() => {
                return self.inner().get_and_touch(sid, Some(3_600 * SECOND)).await;
            }
            ("get_and_touch_shortens", Some(_)) if seconds == 1 => return Ok(live),
            ("get_and_touch_refuses_a_ttl_of_zero", Some(_)) if zero => {
                return Ok(live);
            }
            ("get_and_touch_takes_long_ttls", Some(_)) if seconds > 30 * 86_400 => {
                return self.inner().get_and_touch(sid, Some(Duration::from_secs(1))).await;
            }
            ("get_and_touch_counts_up_to_the_next_second", Some(_))
                if ttl < Some(SECOND) && !zero =>
            {
                let ms = ttl.map_or(86_400_000, |ttl| i64::try_from(ttl.as_millis()).unwrap());
                let end_ms = self.now_ms() + ms;
                self.notes().ends_ms.insert(sid.to_owned(), end_ms);
            }
            ("get_and_touch_of_no_session_is_none", None) if text.as_deref() == Some("null") => {
                return Ok(Some(SessionData::new()));
            }
            ("get_and_touch_missing_is_none", None)
                if past.is(&[GetAndTouch]) && text.is_none() =>
            {
                return Ok(Some(SessionData::new()));
            }
            ("get_and_touch_never_creates", None) if past.is(&[GetAndTouch]) => {
                self.inner().set(sid, &SessionData::new()).await?;
                return Ok(None);
            }
            ("get_and_touch_never_revives", None) if known.is_some() && !past.has(Destroy) => {
                self.inner().set(sid, &SessionData::new()).await?;
                return Ok(None);
            }
            ("get_and_touch_keeps_the_record", Some(live))
                if self.left_ms(live).is_some_and(|left_ms| seconds * 1_000 > left_ms) =>
            {
                self.inner().set(sid, &self.living(live, seconds)).await?;
            }
            ("get_and_touch_keeps_the_revision", Some(live)) => {
                self.inner().set(sid, live).await?;
            }
            _ => {}
        }
        let found = self.inner().get_and_touch(sid, ttl).await?;
        Ok(found.map(|session| match defect {
            "get_and_touch_returns_the_session" => replaced(&session, "\"one\":1.0", "\"one\":1"),
            "get_and_touch_carries_the_revision" => session.with_revision(wrong_revision()),
            _ => session,
        }))
    }
}
