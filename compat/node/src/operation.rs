//! What a store can be asked.

use cloakroom_backend::Idempotency::{self, Once, Read};

/// An operation of a store, and the wait until there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Set,
    Destroy,
    Touch,
    All,
    Length,
    Clear,
    Start,
}

impl Operation {
    /// In the order of the codes that the child knows. `Start` is never sent.
    const ALL: [Self; 8] = [
        Self::Get,
        Self::Set,
        Self::Destroy,
        Self::Touch,
        Self::All,
        Self::Length,
        Self::Clear,
        Self::Start,
    ];

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Destroy => "destroy",
            Self::Touch => "touch",
            Self::All => "all",
            Self::Length => "length",
            Self::Clear => "clear",
            Self::Start => "start",
        }
    }

    pub(crate) const fn idempotency(self) -> Idempotency {
        match self {
            Self::Get | Self::All | Self::Length | Self::Start => Read,
            Self::Set | Self::Destroy | Self::Touch | Self::Clear => Once,
        }
    }
}
