//! Looks for an order of the calls on one session that explains every answer.
//!
//! This is the search of Wing and Gong (1993) with the states that Lowe (2017) remembers, from one answer to the next. A
//! configuration is what the session is now, and which of the calls in progress have taken effect. When a call is
//! answered, every configuration in which it has no effect yet is continued by calls in progress until it has. If no
//! configuration is left, no order explains that answer.
//!
//! A call with an unknown outcome stays in progress for ever: it may take effect at any later time, or never.

mod step;

use std::collections::{HashMap, HashSet};

use crate::history::{Loss, Operation};
use step::places;

/// More configurations than this, and the session is undecided.
const MOST: usize = 10_000;

/// The reason why the search ended without an order.
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
/// Every content that nobody has seen, alone or as the beginning of another: no answer tells them apart.
const UNSEEN: State = 1;

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
    /// Any of the states of this number.
    OneOf(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The contents that were seen, and their beginnings.
    seen: HashSet<&'a str>,
    tokens: Vec<&'a str>,
    choices: Vec<Vec<State>>,
    steps: Vec<Step>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(operations: &[&'a Operation], losses: &[Loss]) -> Self {
        let mut search = Self {
            events: Vec::new(),
            states: HashMap::new(),
            contents: vec![String::new(); 2],
            seen: HashSet::new(),
            tokens: Vec::new(),
            choices: Vec::new(),
            steps: Vec::new(),
        };
        let seen = places(operations);
        search.seen = seen.values().copied().chain([""]).collect();
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
                search.events.push((loss.end_us, true, Event::EndOfLoss(number)));
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
            // A loss that need not happen, and has not by its end, never does.
            let without = if operation.is_none() && self.steps[number].is_optional {
                let left = configurations.iter().filter(|one| one.done & (1 << bit) == 0);
                left.copied().collect()
            } else {
                HashSet::new()
            };
            configurations = self.through(configurations, bit, &open)?;
            configurations.extend(without);
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
                // Of calls with unknown outcomes that do the same, it does not matter which one happens.
                let mut tried = Vec::new();
                for (other, number) in open.iter().enumerate() {
                    let Some(number) = number else { continue };
                    let is_done = configuration.done & (1 << other) != 0;
                    let step = self.steps[*number];
                    if is_done || (step.is_optional && tried.contains(&step)) {
                        continue;
                    }
                    tried.push(step);
                    let done = configuration.done | 1 << other;
                    let states = self.after(configuration.state, step);
                    left.extend(states.into_iter().map(|state| Configuration { state, done }));
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

    /// The states that can follow a step. The list is empty if it cannot take effect now, and for a step that changes
    /// nothing, which need not be tried.
    fn after(&mut self, state: State, step: Step) -> Vec<State> {
        if !applies(step.from, state) {
            return Vec::new();
        }
        let after = match step.to {
            To::Same => return Vec::new(),
            To::OneOf(choice) => return self.choices[choice].clone(),
            To::State(after) => after,
            To::Added(_) if state == UNSEEN => UNSEEN,
            To::Added(token) => {
                let before = &self.contents[state as usize];
                let content = format!("{before} {}", self.tokens[token]);
                self.state(content.trim_start())
            }
        };
        let is_waste = step.is_optional && after == state;
        if is_waste { Vec::new() } else { vec![after] }
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
