//! The times of a call, in the form of the table.

use cloakroom_backend::expires_at_ms;
use cloakroom_core::SessionData;

use crate::{
    check::Checked,
    expiry::{Rounding, Time},
    statement::Values,
    store::SqlStore,
    table::Table,
};

impl Table {
    /// Returns an expiry as it is stored.
    pub(crate) fn rounded(&self, ms: i64, last_ms: i64) -> Time {
        // Rounded up, the last time would be beyond the range.
        let rounded = self.rounding.of(ms.min(last_ms));
        self.expiry_form.time(if rounded > last_ms { Rounding::Down.of(last_ms) } else { rounded })
    }
}

impl SqlStore {
    pub(crate) fn now_ms(&self) -> i64 {
        self.options().clock.now_ms()
    }

    /// Returns an expiry as it is stored.
    pub(crate) fn rounded(&self, ms: i64, last_ms: i64) -> Option<Time> {
        Some(self.table().rounded(ms, last_ms))
    }

    /// Returns the current time as it is compared with an expiry, so that no rounding ends a session before its time.
    fn now(&self, now_ms: i64) -> Option<Time> {
        let Table { rounding, expiry_form, live_at_expiry, .. } = *self.table();
        let rounding = match rounding {
            Rounding::Up | Rounding::Nearest if !live_at_expiry => Rounding::Down,
            rounding => rounding,
        };
        Some(expiry_form.time(rounding.of(now_ms)))
    }

    /// Returns the values of a call on a session that is read now.
    pub(crate) fn values<'v>(&self, checked: &Checked, sid: &'v str, now_ms: i64) -> Values<'v> {
        let stamp = self.rounded(now_ms, checked.last_expiry_ms);
        Values { sid, stamp, now: self.now(now_ms), ..Values::default() }
    }

    /// Returns the values of a call that writes a session now. There is no expiry among them if it has passed.
    pub(crate) fn written<'v>(
        &self,
        checked: &Checked,
        sid: &'v str,
        session: &SessionData,
        now_ms: i64,
    ) -> Values<'v> {
        let expires_ms = expires_at_ms(session, now_ms, self.options().ttl);
        let expiry = expires_ms.and_then(|ms| self.rounded(ms, checked.last_expiry_ms));
        Values { expiry, ..self.values(checked, sid, now_ms) }
    }
}
