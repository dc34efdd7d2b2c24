//! The calls that are not answered yet: those that wait to be sent, and those that the child has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use cloakroom_core::{Error, ErrorKind, SessionData};

use crate::{operation::Operation, reply::Reply, settings::Settings};

/// With so many calls in the hands of the store, or so many bytes of them, the others wait. The child itself always reads,
/// or it could not answer the question whether it runs.
const MOST_SENT: usize = 4_096;
const MOST_SENT_BYTES: usize = 64 * 1_024 * 1_024;

/// One call of the store.
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) sid: String,
    /// The text of the session, for `set` and `touch`.
    pub(crate) record: String,
    pub(crate) reply: Reply,
    pub(crate) deadline: Instant,
}

impl Call {
    fn bytes(&self) -> usize {
        self.sid.len() + self.record.len()
    }
}

/// What is written of a call.
pub(crate) struct Sent {
    pub(crate) number: u32,
    pub(crate) operation: Operation,
    pub(crate) sid: String,
    pub(crate) record: String,
}

/// A call that the child has.
struct SentCall {
    number: u64,
    call: Call,
    /// Its size, which the call no longer has.
    bytes: usize,
}

/// A call that ends, and its error. It is answered once nothing is locked.
pub(crate) type Failed = (Reply, Error);

#[derive(Default)]
pub(crate) struct Calls {
    /// In their order.
    waiting: BTreeMap<u64, Call>,
    waiting_bytes: usize,
    sent: HashMap<u32, SentCall>,
    sent_bytes: usize,
    deadlines: BTreeSet<(Instant, u64)>,
    next: u64,
}

impl Calls {
    /// Lets a call wait to be sent. If too much waits already, the call is returned.
    pub(crate) fn add(&mut self, call: Call, settings: &Settings) -> Result<(), Call> {
        let bytes = self.waiting_bytes.saturating_add(call.bytes());
        // One call is always accepted: its size is limited, too.
        let is_full = self.waiting.len() >= settings.most_calls || bytes > settings.most_bytes;
        if is_full && !self.waiting.is_empty() {
            return Err(call);
        }
        self.waiting_bytes = bytes;
        let number = self.next;
        self.next += 1;
        self.deadlines.insert((call.deadline, number));
        self.waiting.insert(number, call);
        Ok(())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a call waits that can be sent. One call of any size always can.
    pub(crate) fn can_send(&self) -> bool {
        let has_room = |(_, call): (&u64, &Call)| {
            let bytes = self.sent_bytes.saturating_add(call.bytes());
            self.sent.is_empty() || (self.sent.len() < MOST_SENT && bytes <= MOST_SENT_BYTES)
        };
        self.waiting.first_key_value().is_some_and(has_room)
    }

    pub(crate) fn is_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the next calls to write, of about `bytes`, and notes that the child has them. Those that only wait for the
    /// child are returned apart.
    pub(crate) fn send(&mut self, bytes: usize) -> (Vec<Sent>, Vec<Reply>) {
        let (mut sent, mut started, mut taken) = (Vec::new(), Vec::new(), 0);
        while taken < bytes
            && self.can_send()
            && let Some((number, mut call)) = self.waiting.pop_first()
        {
            let bytes = call.bytes();
            self.waiting_bytes -= bytes;
            taken += bytes + 64;
            if call.operation == Operation::Start {
                self.deadlines.remove(&(call.deadline, number));
                started.push(call.reply);
                continue;
            }
            // The child's numbers have 32 bits; none of the last four billion calls is still under way.
            let short = number as u32;
            sent.push(Sent {
                number: short,
                operation: call.operation,
                sid: std::mem::take(&mut call.sid),
                record: std::mem::take(&mut call.record),
            });
            self.sent_bytes += bytes;
            self.sent.insert(short, SentCall { number, call, bytes });
        }
        (sent, started)
    }

    /// Takes the call that an answer is for, or `None` if its deadline has passed.
    pub(crate) fn answered(&mut self, short: u32) -> Option<(Operation, Reply)> {
        let SentCall { number, call, bytes } = self.sent.remove(&short)?;
        self.sent_bytes -= bytes;
        self.deadlines.remove(&(call.deadline, number));
        Some((call.operation, call.reply))
    }

    /// Adds a session to those that `all` will answer with.
    pub(crate) fn add_item(&mut self, short: u32, sid: String, session: SessionData) {
        if let Some(sent) = self.sent.get_mut(&short)
            && let Reply::All(_, sessions) = &mut sent.call.reply
        {
            sessions.push((sid, session));
        }
    }

    /// Takes the calls whose deadline has passed.
    pub(crate) fn late(&mut self, now: Instant, settings: &Settings) -> Vec<Failed> {
        let mut late = Vec::new();
        while let Some((deadline, number)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let short = number as u32;
            if let Some(call) = self.waiting.remove(&number) {
                self.waiting_bytes -= call.bytes();
                let message = "the call waited for the Node.js process until its deadline";
                let error = settings.error(ErrorKind::Timeout, call.operation, message);
                late.push((call.reply, error));
            } else if let Some(SentCall { call, bytes, .. }) = self.sent.remove(&short) {
                self.sent_bytes -= bytes;
                let message = "the store did not call back in time";
                let error = settings.error(ErrorKind::Timeout, call.operation, message);
                late.push((call.reply, call.operation.idempotency().unanswered(error)));
            }
        }
        late
    }

    /// Takes the calls that a child had, which has ended.
    pub(crate) fn lost(
        &mut self,
        kind: ErrorKind,
        message: &str,
        settings: &Settings,
    ) -> Vec<Failed> {
        self.sent_bytes = 0;
        let mut lost = Vec::new();
        for (_, SentCall { number, call, .. }) in self.sent.drain() {
            self.deadlines.remove(&(call.deadline, number));
            let error = settings.error(kind, call.operation, message);
            lost.push((call.reply, call.operation.idempotency().unanswered(error)));
        }
        lost
    }

    /// Takes the calls that have not been sent, and will not be.
    pub(crate) fn given_up(
        &mut self,
        kind: ErrorKind,
        message: &str,
        settings: &Settings,
    ) -> Vec<Failed> {
        self.waiting_bytes = 0;
        let mut given_up = Vec::new();
        while let Some((number, call)) = self.waiting.pop_first() {
            self.deadlines.remove(&(call.deadline, number));
            given_up.push((call.reply, settings.error(kind, call.operation, message)));
        }
        given_up
    }
}
