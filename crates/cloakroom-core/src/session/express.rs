//! What express-session does with a record that it loads.

use super::{COOKIE, SessionData};
use crate::{CookieMember, Error, ErrorKind, JsValue};

impl SessionData {
    /// Changes the session as express-session 1.19.0 does when it loads one: see
    /// [`Cookie::load_as_express`](crate::Cookie::load_as_express). From then on the cookie is written in Express's
    /// member order.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) where Express throws: the record has no cookie that Express can read, or the
    /// cookie's `maxAge` is set but not a number.
    pub fn load_as_express(&mut self) -> Result<(), Error> {
        let unread = |message| Error::new(ErrorKind::Corrupt, "session", "load", message);
        match self.get_json(COOKIE).map(|json| (json.as_bytes().first(), JsValue::parse(json))) {
            Some((Some(b'{'), _)) => {}
            // Express reads `cookie.originalMaxAge` without a check. A list or a falsy value gives `undefined`.
            Some((first, value))
                if first == Some(&b'[') || !value.is_truthy() && value != JsValue::Null =>
            {
                self.cookie_mut().set_raw(CookieMember::OriginalMaxAge, JsValue::Undefined);
            }
            _ => return Err(unread("the record has no cookie that express-session can read")),
        }
        if self.cookie().breaks_express() {
            return Err(unread("the cookie's maxAge is invalid: must be a number"));
        }
        self.cookie_mut().load_as_express();
        self.edits.prints_cookie = true;
        Ok(())
    }

    /// Changes the session as a request through express-session 1.19.0 does between load and store: see
    /// [`Cookie::touch_as_express`](crate::Cookie::touch_as_express). From then on the cookie is written in Express's
    /// member order. The session's [end](Self::ends_at_ms), which Express does not know, holds here, too.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let mut session = SessionData::from_json(r#"{"cookie":{"path":"/","originalMaxAge":null,"expires":null,"a":1}}"#)?;
    /// session.touch_as_express(1_700_000_000_000)?;
    /// assert_eq!(
    ///     session.to_json(),
    ///     r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}}"#,
    /// );
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Cookie::touch_as_express`](crate::Cookie::touch_as_express).
    pub fn touch_as_express(&mut self, now_ms: i64) -> Result<(), Error> {
        self.edits.prints_cookie = true;
        let ends_at_ms = self.ends_at_ms();
        self.cookie_mut().touch_as_express(now_ms)?;
        self.cookie_mut().cut(ends_at_ms);
        Ok(())
    }
}
