//! Looks for an order of the calls on one session that explains every answer.
//!
//! This is the search of Wing and Gong (1993) with the states that Lowe (2017) remembers, from one answer to the next. A
//! configuration is what the session is now, and which of the calls in progress have taken effect. When a call is
//! answered, every configuration in which it has no effect yet is continued by calls in progress until it has. If no
//! configuration is left, no order explains that answer.
//!
//! A call with an unknown outcome stays in progress for ever: it may take effect at any later time, or never.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::history::{Answer, Call, Loss, Lost, Operation, Outcome, before_last};

/// More configurations than this, and the session is undecided.
const MOST: usize = 4_000;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Stop<'a> {
    /// No order explains this operation together with those before it.
    NoOrder(&'a Operation),
    /// There are too many orders.
    TooMany,
}

/// What a session is: 0 is missing, every other number stands for a content.
type State = u32;
const MISSING: State = 0;

/// What has to be there for a call to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Anything,
    Any,
    Only(State),
}

/// What is there afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Same,
    State(State),
    /// The content with this token added.
    Added(usize),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    from: From,
    to: To,
    /// It need not take effect.
    is_optional: bool,
}

/// The calls in progress, as bits: 128 of them at most.
type Bits = u128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Configuration {
    state: State,
    done: Bits,
}

enum Event<'a> {
    Begin(Step),
    /// The step that began with this number is over.
    End(usize, &'a Operation),
    /// The loss that began with this number is over.
    EndOfLoss(usize),
}

pub(crate) struct Search<'a> {
    /// In the order of time; a call that begins when another ends overlaps it.
    events: Vec<(u64, bool, Event<'a>)>,
    states: HashMap<String, State>,
    contents: Vec<String>,
    tokens: Vec<&'a str>,
    steps: Vec<Step>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(operations: &[&'a Operation], losses: &[Loss]) -> Self {
        let mut search = Self {
            events: Vec::new(),
            states: HashMap::new(),
            contents: vec![String::new()],
            tokens: Vec::new(),
            steps: Vec::new(),
        };
        let seen = places(operations);
        let mut starts: Vec<(u64, usize)> = Vec::new();
        for operation in operations {
            let Some(step) = search.step(operation, &seen) else { continue };
            let number = search.steps.len() + starts.len();
            starts.push((operation.start_us, number));
            search.events.push((operation.start_us, false, Event::Begin(step)));
            if operation.is_acknowledged() {
                let end_us = operation.end_us.unwrap_or(u64::MAX);
                search.events.push((end_us, true, Event::End(number, operation)));
            }
        }
        let mut number = starts.len();
        for loss in losses {
            for step in search.lost(operations, loss) {
                search.events.push((loss.start_us, false, Event::Begin(step)));
                if !step.is_optional {
                    search.events.push((loss.end_us, true, Event::EndOfLoss(number)));
                }
                number += 1;
            }
        }
        // Numbers are given in the order of the pushes, so they have to follow the order of time.
        search.in_order();
        search
    }

    /// Sorts the events and gives the steps numbers in that order.
    fn in_order(&mut self) {
        let mut numbered: Vec<(u64, bool, usize, Event<'a>)> = Vec::new();
        let mut begun = 0;
        for (at, is_end, event) in std::mem::take(&mut self.events) {
            let number = match &event {
                Event::Begin(_) => {
                    begun += 1;
                    begun - 1
                }
                Event::End(number, _) | Event::EndOfLoss(number) => *number,
            };
            numbered.push((at, is_end, number, event));
        }
        numbered.sort_by_key(|(at, is_end, number, _)| (*at, *is_end, *number));
        let mut new_numbers = HashMap::new();
        for (at, is_end, number, event) in numbered {
            let event = match event {
                Event::Begin(step) => {
                    new_numbers.insert(number, self.steps.len());
                    self.steps.push(step);
                    Event::Begin(step)
                }
                Event::End(_, operation) => Event::End(new_numbers[&number], operation),
                Event::EndOfLoss(_) => Event::EndOfLoss(new_numbers[&number]),
            };
            self.events.push((at, is_end, event));
        }
    }

    fn state(&mut self, content: &str) -> State {
        if let Some(state) = self.states.get(content) {
            return *state;
        }
        let state = State::try_from(self.contents.len()).expect("fewer contents than that");
        self.contents.push(content.to_owned());
        self.states.insert(content.to_owned(), state);
        state
    }

    /// What the call does. `None` if it says nothing about the order.
    fn step(
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
    fn lost(&mut self, operations: &[&'a Operation], loss: &Loss) -> Vec<Step> {
        if !operations.iter().any(|operation| operation.start_us < loss.end_us) {
            return Vec::new();
        }
        let gone = |is_optional| Step { from: From::Anything, to: To::State(MISSING), is_optional };
        match loss.lost {
            Lost::Nothing => Vec::new(),
            Lost::All => vec![gone(false)],
            Lost::Any => vec![gone(true)],
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
        let to = before.into_iter();
        to.map(|state| Step { from: From::Anything, to: To::State(state), is_optional: true })
            .collect()
    }

    pub(crate) fn run(mut self) -> Result<(), Stop<'a>> {
        let mut configurations = HashSet::from([Configuration { state: MISSING, done: 0 }]);
        // Which step has which bit, while it is in progress.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut bits: HashMap<usize, usize> = HashMap::new();
        let mut next = 0;
        for (_, _, event) in std::mem::take(&mut self.events) {
            let (number, operation) = match event {
                Event::Begin(_) => {
                    let bit = open.iter().position(Option::is_none).unwrap_or(open.len());
                    if bit >= Bits::BITS as usize {
                        return Err(Stop::TooMany);
                    }
                    open.resize(open.len().max(bit + 1), None);
                    open[bit] = Some(next);
                    bits.insert(next, bit);
                    next += 1;
                    continue;
                }
                Event::End(number, operation) => (number, Some(operation)),
                Event::EndOfLoss(number) => (number, None),
            };
            let bit = bits[&number];
            configurations = self.through(configurations, bit, &open)?;
            if configurations.is_empty() {
                // A loss can always take effect.
                let Some(operation) = operation else { return Ok(()) };
                return Err(Stop::NoOrder(operation));
            }
            open[bit] = None;
        }
        Ok(())
    }

    /// The configurations in which the step of this bit has taken effect, without its bit.
    fn through(
        &mut self,
        configurations: HashSet<Configuration>,
        bit: usize,
        open: &[Option<usize>],
    ) -> Result<HashSet<Configuration>, Stop<'a>> {
        let mut seen: HashSet<Configuration> = HashSet::new();
        let mut results = HashSet::new();
        let mut left: Vec<Configuration> = configurations.into_iter().collect();
        while let Some(configuration) = left.pop() {
            let configuration = self.with_reads(configuration, open);
            if configuration.done & (1 << bit) != 0 {
                let done = configuration.done & !(1 << bit);
                results.insert(Configuration { done, ..configuration });
            } else if seen.insert(configuration) {
                for (other, number) in open.iter().enumerate() {
                    let Some(number) = number else { continue };
                    let is_done = configuration.done & (1 << other) != 0;
                    if !is_done && let Some(state) = self.after(configuration.state, *number) {
                        left.push(Configuration { state, done: configuration.done | 1 << other });
                    }
                }
            }
            if seen.len() + results.len() > MOST {
                return Err(Stop::TooMany);
            }
        }
        Ok(self.without_waste(results, open))
    }

    /// Lets all reads take effect that can: they change nothing, and later they might not be right any more.
    fn with_reads(
        &self,
        mut configuration: Configuration,
        open: &[Option<usize>],
    ) -> Configuration {
        for (bit, number) in open.iter().enumerate() {
            let Some(step) = number.map(|number| self.steps[number]) else { continue };
            if step.to == To::Same && applies(step.from, configuration.state) {
                configuration.done |= 1 << bit;
            }
        }
        configuration
    }

    /// The state after a step, or `None` if it cannot take effect now. A step that changes nothing need not be tried.
    fn after(&mut self, state: State, number: usize) -> Option<State> {
        let step = self.steps[number];
        if !applies(step.from, state) {
            return None;
        }
        let after = match step.to {
            To::Same => return None,
            To::State(after) => after,
            To::Added(token) => {
                let before = &self.contents[state as usize];
                let content = format!("{before} {}", self.tokens[token]);
                self.state(content.trim_start())
            }
        };
        let is_waste = step.is_optional && after == state;
        (!is_waste).then_some(after)
    }

    /// Leaves out configurations that have used up more calls of unknown outcome than another that is otherwise equal.
    fn without_waste(
        &self,
        configurations: HashSet<Configuration>,
        open: &[Option<usize>],
    ) -> HashSet<Configuration> {
        let is_optional =
            |number: &Option<usize>| number.is_some_and(|n| self.steps[n].is_optional);
        let optional: Bits = open
            .iter()
            .enumerate()
            .filter(|(_, number)| is_optional(number))
            .fold(0, |bits, (bit, _)| bits | 1 << bit);
        let mut groups: HashMap<Configuration, Vec<Bits>> = HashMap::new();
        let mut sorted: Vec<Configuration> = configurations.into_iter().collect();
        sorted.sort_by_key(|configuration| (configuration.done & optional).count_ones());
        for Configuration { state, done } in sorted {
            let group = groups.entry(Configuration { state, done: done & !optional }).or_default();
            let used = done & optional;
            if !group.iter().any(|fewer| fewer & used == *fewer) {
                group.push(used);
            }
        }
        let whole = |(Configuration { state, done }, used): (Configuration, Vec<Bits>)| {
            used.into_iter().map(move |used| Configuration { state, done: done | used })
        };
        groups.into_iter().flat_map(whole).collect()
    }
}

fn applies(from: From, state: State) -> bool {
    match from {
        From::Anything => true,
        From::Any => state != MISSING,
        From::Only(only) => only == state,
    }
}

/// The content at whose end each token was seen.
fn places<'a>(operations: &[&'a Operation]) -> BTreeMap<&'a str, &'a str> {
    let mut places = BTreeMap::new();
    let mut known = HashSet::new();
    for operation in operations {
        // What a call would have written shows nothing, unless it is acknowledged.
        let own = if operation.is_acknowledged() { None } else { operation.call.token() };
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
