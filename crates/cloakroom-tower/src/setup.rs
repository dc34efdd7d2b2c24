//! The store, the format of ids and the options of an engine, which every preset uses.

use std::{borrow::Cow, future::Future, time::Duration};

use cloakroom_backend::{
    Idempotency, LongestLimit,
    observe::{note, verb},
    within,
};
use cloakroom_core::{
    Cookie, Error, ErrorKind, RandomId, SessionData, Store, clear_cookie, generate_id, set_cookie,
};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{
    CookieOptions, EventReason, IdFormat, SessionOptions, check::check_cookie, events::Events,
    head::joined, request::RequestFacts,
};

pub(crate) struct Setup {
    store: Box<dyn Store>,
    ids: IdFormat,
    options: SessionOptions,
    events: Events,
    /// What the calls of the store have learnt.
    longest: LongestLimit,
}

/// What decides whether a new session can be made, if no option is a function of its request: its id, and a time at which
/// its cookie can be made.
pub(crate) struct Seed {
    id: RandomId,
    pub(crate) now_ms: i64,
}

impl Setup {
    pub(crate) fn new(store: Box<dyn Store>, ids: IdFormat, options: SessionOptions) -> Self {
        Self { store, ids, options, events: Events::default(), longest: LongestLimit::default() }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) const fn ids(&self) -> &IdFormat {
        &self.ids
    }

    pub(crate) const fn options(&self) -> &SessionOptions {
        &self.options
    }

    pub(crate) const fn longest(&self) -> &LongestLimit {
        &self.longest
    }

    /// Returns how long an operation may take: the deadline, or its default, which gives way to a longer one of the store.
    pub(crate) fn limit(&self) -> Duration {
        let failure = &self.options.failure;
        failure.deadline.unwrap_or_else(|| failure.patience().max(self.longest.get()))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.options.expiry.clock.now_ms()
    }

    /// Reports an error to the operator.
    pub(crate) fn tell(&self, error: &Error) {
        self.options.tell(error);
    }

    /// Reports an event to the operator, unless one with this reason was reported within the last hour.
    pub(crate) fn note(&self, reason: EventReason) {
        note(reason.observed());
        let Some(on_event) = &self.options.failure.on_event else { return };
        if let Some(event) = self.events.note(reason, &self.options.ids.cookie_name, self.now_ms())
        {
            on_event(&event);
        }
    }

    /// Returns all `Cookie` lines as one, or `None` if they are longer than the limit.
    pub(crate) fn cookies<'a>(&self, headers: &'a HeaderMap) -> Option<Cow<'a, [u8]>> {
        let length: usize = headers.get_all(COOKIE).iter().map(HeaderValue::len).sum();
        (length <= self.options.ids.max_cookie_header).then(|| joined(headers))
    }

    /// As [`cookies`](Self::cookies), for a request that is served.
    pub(crate) fn cookies_of_served<'a>(&self, headers: &'a HeaderMap) -> Option<Cow<'a, [u8]>> {
        let cookies = self.cookies(headers);
        if cookies.is_none() {
            self.note(EventReason::CookieHeaderTooLong);
        }
        cookies
    }

    /// Returns the answer of `work`, which writes, within the deadline.
    pub(crate) fn within<T: Send>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (limit, work) = (self.options.failure.deadline, self.longest.learn(work));
        verb("layer", operation, within(limit, "session", operation, Idempotency::Once, work))
    }

    /// As [`within`](Self::within), of work that writes nothing.
    pub(crate) fn within_reading<T: Send>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (limit, work) = (self.options.failure.deadline, self.longest.learn(work));
        verb("layer", operation, within(limit, "session", operation, Idempotency::Read, work))
    }

    /// Makes a new id and an empty session with the cookie of the options.
    pub(crate) fn generate(&self, request: &RequestFacts) -> Result<(String, SessionData), Error> {
        let options = &self.options;
        request.with_head(|head| {
            let made = options.cookie_for.as_ref().map(|cookie_for| cookie_for(head));
            if let Some(made) = &made {
                check_cookie(options, made)?;
            }
            let cookie = self.cookie(made.as_ref().unwrap_or(&options.cookie), request)?;
            let id = match &options.ids.genid {
                Some(genid) => genid(head)?,
                None => generate_id()?,
            };
            Ok((id, SessionData::with_cookie(cookie)))
        })
    }

    /// Does what can fail of [`generate`](Self::generate), if no option is a function of the request.
    pub(crate) fn seed(&self) -> Result<Seed, Error> {
        let now_ms = self.now_ms();
        self.options.cookie.check_life(self.options.preset.cookie_shape(), now_ms)?;
        Ok(Seed { id: RandomId::new()?, now_ms })
    }

    /// Does the rest of [`generate`](Self::generate).
    pub(crate) fn grow(&self, seed: &Seed, request: &RequestFacts) -> (String, SessionData) {
        let (options, shape) = (&self.options.cookie, self.options.preset.cookie_shape());
        // It cannot fail: `seed` has checked it for this time.
        let cookie = options.cookie(shape, request.is_secure, seed.now_ms).unwrap_or_default();
        (seed.id.to_text(), SessionData::with_cookie(cookie))
    }

    fn cookie(&self, options: &CookieOptions, request: &RequestFacts) -> Result<Cookie, Error> {
        options.cookie(self.options.preset.cookie_shape(), request.is_secure, self.now_ms())
    }

    /// Returns the `Set-Cookie` line for this id and cookie.
    pub(crate) fn set_cookie(&self, id: &str, cookie: &Cookie) -> Result<HeaderValue, Error> {
        self.set_cookie_value(&self.ids.value(id), cookie)
    }

    /// Returns the `Set-Cookie` line for a value that stands for an id already.
    pub(crate) fn set_cookie_value(
        &self,
        value: &str,
        cookie: &Cookie,
    ) -> Result<HeaderValue, Error> {
        header(&set_cookie(&self.options.ids.cookie_name, value, cookie)?)
    }

    /// Returns the `Set-Cookie` line that makes the browser forget the cookie.
    pub(crate) fn clear_cookie(&self, cookie: &Cookie) -> Result<HeaderValue, Error> {
        header(&clear_cookie(&self.options.ids.cookie_name, cookie)?)
    }
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidData,
            "session",
            "set_cookie",
            "the cookie contains characters that are not allowed in a header",
        )
    })
}
