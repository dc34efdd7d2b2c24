//! What each call, and each loss, can do to a session.

use std::collections::{BTreeMap, HashSet};

use super::{From, MISSING, Search, State, Step, To, UNSEEN};
use crate::history::{Answer, Call, Loss, Lost, Operation, Outcome, before_last};

impl<'a> Search<'a> {
    pub(super) fn state(&mut self, content: &str) -> State {
        if !self.seen.contains(content) {
            return UNSEEN;
        }
        if let Some(state) = self.states.get(content) {
            return *state;
        }
        let state = State::try_from(self.contents.len()).expect("fewer contents than that");
        self.contents.push(content.to_owned());
        self.states.insert(content.to_owned(), state);
        state
    }

    /// What the call does. `None` if it says nothing about the order.
    pub(super) fn step(
        &mut self,
        operation: &'a Operation,
        seen: &BTreeMap<&'a str, &'a str>,
    ) -> Option<Step> {
        let answer = match &operation.outcome {
            Outcome::Failed(_) => return None,
            Outcome::Unknown(_) => None,
            Outcome::Ok(answer) => Some(answer),
        };
        let is_optional = answer.is_none();
        let write = |from, to| Some(Step { from, to, is_optional });
        let same = |from| Some(Step { from, to: To::Same, is_optional });
        match (&operation.call, answer) {
            (Call::Read | Call::Touch, None) | (_, Some(Answer::Nothing)) => None,
            (_, Some(Answer::Found(Some(content)) | Answer::Conflict(content))) => {
                same(From::Only(self.state(content)))
            }
            (_, Some(Answer::Found(None) | Answer::Missing)) => same(From::Only(MISSING)),
            (_, Some(Answer::Exists)) => same(From::Any),
            (Call::Read | Call::Touch, Some(_)) => None,
            (Call::Destroy, _) => write(From::Anything, To::State(MISSING)),
            (Call::Set { content, .. }, _) => write(From::Anything, To::State(self.state(content))),
            (Call::Create(content), _) => {
                write(From::Only(MISSING), To::State(self.state(content)))
            }
            (Call::Update { read, content }, _) => {
                // A change that nobody has seen and that need not have happened explains nothing.
                let token = operation.call.token()?;
                if is_optional && !seen.contains_key(token) {
                    return None;
                }
                write(From::Only(self.state(read)), To::State(self.state(content)))
            }
            (Call::Modify(token), answer) => {
                let content = match answer {
                    Some(Answer::Modified(Some(content))) => Some(&**content),
                    _ => seen.get(&**token).copied(),
                };
                if let Some(content) = content {
                    let from = From::Only(self.state(before_last(content)));
                    return write(from, To::State(self.state(content)));
                }
                if is_optional {
                    return None;
                }
                self.tokens.push(token);
                write(From::Any, To::Added(self.tokens.len() - 1))
            }
        }
    }

    /// What a loss may do to this session.
    pub(super) fn lost(&mut self, operations: &[&'a Operation], loss: &Loss) -> Vec<Step> {
        let is_concerned = |operation: &&&Operation| {
            operation.start_us < loss.end_us && loss.concerns(&operation.sid)
        };
        if !operations.iter().any(|operation| is_concerned(&operation)) {
            return Vec::new();
        }
        let gone = |is_optional| Step { from: From::Anything, to: To::State(MISSING), is_optional };
        match loss.lost {
            Lost::Nothing => Vec::new(),
            Lost::All => vec![gone(false)],
            Lost::Any => vec![gone(true)],
            Lost::Recent => self.undone(operations, loss),
            Lost::Unacknowledged => {
                let in_flight = |operation: &&&Operation| {
                    matches!(operation.outcome, Outcome::Unknown(_))
                        && operation.start_us <= loss.end_us
                        && operation.end_us.is_none_or(|end_us| end_us >= loss.start_us)
                        && !matches!(operation.call, Call::Read | Call::Touch)
                };
                if !operations.iter().any(|operation| in_flight(&operation)) {
                    return Vec::new();
                }
                self.undone(operations, loss)
            }
        }
    }

    /// Back to any state that some write that ended shortly before the loss has left or found.
    fn undone(&mut self, operations: &[&'a Operation], loss: &Loss) -> Vec<Step> {
        let mut before: HashSet<State> = HashSet::from([MISSING]);
        let early = operations.iter().filter(|operation| operation.start_us < loss.end_us);
        let mut latest: Vec<&&Operation> = early.collect();
        latest.sort_by_key(|operation| std::cmp::Reverse(operation.end_us.unwrap_or(u64::MAX)));
        for operation in latest.into_iter().take(24) {
            if let Some(Some(content)) = operation.saw() {
                before.insert(self.state(content));
            }
            for content in operation.contents() {
                before.insert(self.state(content));
            }
        }
        self.choices.push(before.into_iter().collect());
        let to = To::OneOf(self.choices.len() - 1);
        vec![Step { from: From::Anything, to, is_optional: true }]
    }
}

/// The content at whose end each token was seen.
pub(super) fn places<'a>(operations: &[&'a Operation]) -> BTreeMap<&'a str, &'a str> {
    let mut places = BTreeMap::new();
    let mut known = HashSet::new();
    for operation in operations {
        // What a call itself writes is not seen by it.
        let own = operation.call.token();
        for content in operation.contents() {
            let mut prefix = content;
            if own.is_some() && prefix.rsplit(' ').next() == own {
                prefix = before_last(prefix);
            }
            while !prefix.is_empty() && known.insert(prefix) {
                places.insert(prefix.rsplit(' ').next().unwrap_or_default(), prefix);
                prefix = before_last(prefix);
            }
        }
    }
    places
}
