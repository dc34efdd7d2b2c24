//! The life of a session, which a new one has only when somebody asks something of it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::rules::{Life, NewSession};

/// The life of one request's session. That of a new session begins late, so that a request that asks nothing of its
/// session pays for no record.
pub(crate) enum LateLife {
    /// The session was loaded, or had to be made at once.
    Begun(Life),
    Late(Late),
}

pub(crate) struct Late {
    new: NewSession,
    life: OnceLock<Life>,
    /// The response has begun.
    has_ended: Mutex<bool>,
}

impl LateLife {
    pub(crate) fn of_new(new: NewSession) -> Self {
        Self::Late(Late { new, life: OnceLock::new(), has_ended: Mutex::new(false) })
    }

    /// Returns the life, which begins now if nobody has asked before.
    pub(crate) fn get(&self) -> &Life {
        match self {
            Self::Begun(life) => life,
            Self::Late(late) => late.life.get().unwrap_or_else(|| late.begin()),
        }
    }

    /// Returns true if nobody has asked anything of a new session, and somebody still can.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self, Self::Late(late) if late.life.get().is_none() && !*late.has_ended())
    }

    /// Returns the life if it has begun. From now on one that has not can change nothing.
    pub(crate) fn end(&self) -> Option<&Life> {
        match self {
            Self::Begun(life) => Some(life),
            Self::Late(late) => {
                *late.has_ended() = true;
                late.life.get()
            }
        }
    }
}

impl Late {
    fn begin(&self) -> &Life {
        // Under the lock, so that the life either begins before the end, which then writes what it has changed, or is
        // closed from the start.
        let has_ended = self.has_ended();
        self.life.get_or_init(|| {
            let life = self.new.begin();
            if *has_ended {
                life.shared().close();
            }
            life
        })
    }

    fn has_ended(&self) -> MutexGuard<'_, bool> {
        self.has_ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
