//! The records of the broken store as another program sees them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::{CookieMember, Error, ErrorKind, SessionData, Store};

use crate::broken::{
    Broken,
    Op::{Get, Set},
    Past, Shared, replaced,
};

pub(crate) struct Raw(pub(crate) Arc<Shared>);

#[async_trait]
impl RawAccess for Raw {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        self.0.inner.plant(sid, record);
        Ok(())
    }

    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        self.0.inner.plant_endless(sid, record);
        Ok(true)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        Ok(self.0.inner.text(sid))
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        Ok(self.0.inner.left(sid))
    }
}

impl Broken {
    /// What a read makes of a record of another program, if it is wrong about it.
    pub(crate) fn misread_foreign(
        &self,
        past: &Past,
        sid: &str,
    ) -> Option<Result<Option<SessionData>, Error>> {
        let text = self.inner().text(sid)?;
        Some(match self.shared.defect {
            "a_foreign_record_with_a_stale_cookie_is_alive"
                if past.is(&[Get]) && text.contains("2001-01-01") =>
            {
                Ok(None)
            }
            "what_express_takes_for_no_session_is_none" if text == "false" => {
                Ok(Some(SessionData::new()))
            }
            "what_is_not_a_session_is_corrupt" if text == "4267" && past.count(Set) == 0 => {
                Ok(None)
            }
            "a_corrupt_record_is_not_quoted" if text == "squirrel" && past.count(Set) > 0 => {
                Err(Error::new(ErrorKind::Corrupt, "memory", "get", format!("no JSON: {text}")))
            }
            _ => return None,
        })
    }

    /// What is written in place of the session of the cases about other programs.
    pub(crate) fn miswrite_foreign(&self, past: &Past, session: SessionData) -> SessionData {
        match self.shared.defect {
            "a_session_is_stored_as_its_text" if past.is(&[Set]) && session.contains("half") => {
                replaced(&session, "\"n\":1.0", "\"n\":1")
            }
            "a_foreign_record_keeps_what_nobody_changes"
                if past.is(&[Get, Set]) && session.contains("half") =>
            {
                let mut cookie = session.cookie().clone();
                cookie.set_raw(CookieMember::Path, "/other".into());
                let mut session = session;
                *session.cookie_mut() = cookie;
                session
            }
            _ => session,
        }
    }

    /// Returns true if a record is stored that is not a session.
    pub(crate) async fn is_corrupt(&self, sid: &str) -> bool {
        self.inner().get(sid).await.is_err_and(|error| error.kind() == ErrorKind::Corrupt)
    }
}
