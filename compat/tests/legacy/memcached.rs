//! Over the blocking `memcache::Client`, a thread a call: how a service wraps a client that knows no futures.

use std::{sync::Arc, thread};

use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore};
use cloakroom_core::{Error, ErrorKind, SessionData, TimeToLive, Touched};
use memcache::{Client, CommandError, MemcacheError};

use super::{Gate, now_ms};

pub(crate) struct MemcachedStore {
    client: Arc<Client>,
    gate: Gate,
}

/// Memcached takes longer times as a date, in seconds since 1970 (protocol.txt, "Expiration times").
const LONGEST_RELATIVE: u64 = 60 * 60 * 24 * 30;

impl MemcachedStore {
    pub(crate) fn connect(addr: &str, gate: Gate) -> Self {
        let client = Client::connect(format!("memcache://{addr}")).unwrap();
        Self { client: Arc::new(client), gate }
    }

    /// Runs a blocking call where it blocks nobody.
    fn call<T: Send + 'static>(
        &self,
        sid: &str,
        callback: Callback<T>,
        call: impl FnOnce(&Client, &str) -> Result<T, Error> + Send + 'static,
    ) {
        if sid.len() > 250 || sid.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message = "memcached has no key of this length or with such characters";
            return callback.err(Error::new(ErrorKind::InvalidId, "memcached", "call", message));
        }
        let (client, gate, sid) = (Arc::clone(&self.client), self.gate.clone(), sid.to_owned());
        thread::spawn(move || {
            let answer = call(&client, &sid);
            gate.wait();
            callback.answer(answer);
        });
    }
}

fn client_error(error: MemcacheError) -> Error {
    let (kind, message) = match &error {
        MemcacheError::CommandError(CommandError::ValueTooLarge) => {
            (ErrorKind::TooLarge, "the record is over the server's limit")
        }
        MemcacheError::IOError(_) => (ErrorKind::Unavailable, "the server cannot be reached"),
        _ => (ErrorKind::Other, "the client failed"),
    };
    Error::new(kind, "memcached", "call", message).with_source(error)
}

/// `None` when the expiry has passed. A second more than asked, because the server counts in ticks of one second.
fn expiration(session: &SessionData) -> Option<u32> {
    let seconds = match session.time_to_live(now_ms()) {
        TimeToLive::Seconds(seconds) => seconds + 1,
        TimeToLive::Browser => 86_400,
        TimeToLive::Expired => return None,
    };
    let seconds =
        if seconds > LONGEST_RELATIVE { seconds + now_ms() as u64 / 1_000 } else { seconds };
    // What goes beyond the protocol's 32 bits, past 2106, does not expire.
    Some(u32::try_from(seconds).unwrap_or_default())
}

impl CallbackStore for MemcachedStore {
    fn name(&self) -> &str {
        "memcached"
    }

    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
        self.call(sid, callback, |client, sid| {
            client.get::<String>(sid).map_err(client_error)?.map(SessionData::from_json).transpose()
        });
    }

    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
        let text = session.to_json().into_owned();
        match expiration(session) {
            Some(seconds) => self.call(sid, callback, move |client, sid| {
                client.set(sid, text, seconds).map_err(client_error)
            }),
            None => self.destroy(sid, callback),
        }
    }

    fn destroy(&self, sid: &str, callback: Callback<()>) {
        self.call(sid, callback, |client, sid| {
            client.delete(sid).map(|_| ()).map_err(client_error)
        });
    }

    fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>) {
        let expiration = expiration(session);
        self.call(sid, callback, move |client, sid| {
            let there = match expiration {
                Some(seconds) => client.touch(sid, seconds).map_err(client_error)?,
                None => {
                    client.delete(sid).map_err(client_error)?;
                    false
                }
            };
            Ok(if there { Touched::Extended } else { Touched::Missing })
        });
    }

    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}
