//! What processes did to sessions, and what they were told: plain data, which the checker reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a session contains: the names of its members but the cookie, in order, separated by spaces.
///
/// Every write of a run adds a member with a name that no other write uses, its token. A session therefore tells which
/// writes it has seen, in which order.
pub type Content = String;

/// What an operation asks of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `get`, or `get_and_touch`: both only tell the content.
    Read,
    /// `touch`, of a store that changes no data.
    Touch,
    /// Removes the session.
    Destroy,
    /// Stores the content if there is no session.
    Create(Content),
    /// Stores the content, no matter what is there. With a token of its own, unless `repeats` is set: connect-memcached's
    /// `touch` writes again what was read.
    Set {
        /// The whole session.
        content: Content,
        /// No member is new.
        #[serde(default)]
        repeats: bool,
    },
    /// Adds the token to whatever is there.
    Modify(String),
    /// Stores the content if the session is still as it was read.
    Update {
        /// What was read.
        read: Content,
        /// What is written: the same and a token.
        content: Content,
    },
}

impl Call {
    /// The token that this call alone writes.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Create(content)
            | Self::Set { content, repeats: false }
            | Self::Update { content, .. } => content.rsplit(' ').next(),
            Self::Modify(token) => Some(token),
            _ => None,
        }
    }
}

/// What a call was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `Read`: the session, or none.
    Found(Option<Content>),
    /// `Modify`: the session as it is stored now. `None` where the caller is not told.
    Modified(Option<Content>),
    /// `Create`, `Set`, `Update` and `Destroy` did what they were asked.
    Done,
    /// `Create` and `Touch`: there is a session.
    Exists,
    /// `Modify`, `Update` and `Touch`: there is no session.
    Missing,
    /// `Update`: this is there instead.
    Conflict(Content),
    /// The answer tells nothing about the session.
    Nothing,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered.
    Ok(Answer),
    /// It failed, and nothing was changed.
    Failed(String),
    /// It failed, or was dropped, and may have happened, or may happen yet.
    Unknown(String),
}

/// One call of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The name of the process.
    pub process: String,
    /// The id of the session.
    pub sid: String,
    /// When it began, in microseconds of the clock that all processes share.
    pub start_us: u64,
    /// When it ended. `None` if nobody has seen the end.
    pub end_us: Option<u64>,
    /// How late the machine woke a thread of this process at most while the call ran.
    #[serde(default)]
    pub late_us: u64,
    /// What was asked.
    pub call: Call,
    /// What was answered: `Unknown` while `end_us` is `None`.
    pub outcome: Outcome,
}

/// Something that empties the server, as a restart empties Memcached, or that costs one session, as an eviction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The session that is lost. `None` if the loss concerns all of them.
    #[serde(default)]
    pub sid: Option<String>,
    /// When it can first have happened.
    pub start_us: u64,
    /// When it had happened.
    pub end_us: u64,
    /// What is lost.
    pub lost: Lost,
}

/// What a server loses when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// Nothing.
    Nothing,
    /// All sessions.
    All,
    /// Any session, or not.
    Any,
    /// Writes that were not acknowledged yet, even if somebody has read them.
    Unacknowledged,
    /// The last writes, acknowledged or not: a replica takes over that has not received them.
    Recent,
}

/// Everything that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The calls, in any order.
    pub operations: Vec<Operation>,
    /// What the server may have lost.
    pub losses: Vec<Loss>,
}

impl Loss {
    /// Whether it concerns this session.
    pub(crate) fn concerns(&self, sid: &str) -> bool {
        self.sid.as_deref().is_none_or(|lost| lost == sid)
    }
}

impl History {
    /// The operations by session.
    pub(crate) fn by_session(&self) -> BTreeMap<&str, Vec<&Operation>> {
        let mut sessions: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
        for operation in &self.operations {
            sessions.entry(&operation.sid).or_default().push(operation);
        }
        sessions
    }
}

impl Operation {
    /// Whether it is answered, and not with an error.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    /// Whether it may have changed something: every call but a failed one.
    pub(crate) fn may_have_happened(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed(_))
    }

    /// What it saw of the session before it changed anything: `Some(None)` is a session that does not exist.
    pub(crate) fn saw(&self) -> Option<Option<&str>> {
        let Outcome::Ok(answer) = &self.outcome else { return None };
        match (answer, &self.call) {
            (Answer::Found(found), _) => Some(found.as_deref()),
            (Answer::Conflict(current), _) => Some(Some(current)),
            (Answer::Missing, _) => Some(None),
            (Answer::Modified(Some(content)), _) => Some(Some(before_last(content))),
            (Answer::Done, Call::Update { read, .. }) => Some(Some(read)),
            (Answer::Done, Call::Create(_)) => Some(None),
            _ => None,
        }
    }

    /// The contents that this call shows to have been there, or would write.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &str> {
        let asked = match &self.call {
            Call::Create(content) | Call::Set { content, .. } => [Some(&**content), None],
            Call::Update { read, content } => [Some(&**read), Some(&**content)],
            _ => [None, None],
        };
        let told = match &self.outcome {
            Outcome::Ok(Answer::Found(content) | Answer::Modified(content)) => content.as_deref(),
            Outcome::Ok(Answer::Conflict(content)) => Some(&**content),
            _ => None,
        };
        asked.into_iter().flatten().chain(told)
    }
}

/// A content without its last member.
pub(crate) fn before_last(content: &str) -> &str {
    content.rsplit_once(' ').map_or("", |(before, _)| before)
}

/// Whether a content has this member.
pub(crate) fn has(content: &str, token: &str) -> bool {
    content.split(' ').any(|member| member == token)
}
