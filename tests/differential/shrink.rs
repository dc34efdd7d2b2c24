//! Shortens a sequence that shows a difference.

use serde_json::Value;

use crate::sequence::{Before, PATH, Sent, Sequence};

/// The options that can be left out. The others stay, because a default is not simpler.
const OPTIONS: [(&str, &str); 10] = [
    ("", "name"),
    ("", "proxy"),
    ("/cookie", "maxAge"),
    ("/cookie", "secure"),
    ("/cookie", "sameSite"),
    ("/cookie", "httpOnly"),
    ("/cookie", "path"),
    ("/cookie", "domain"),
    ("/cookie", "priority"),
    ("/cookie", "partitioned"),
];

/// Removes parts while `fails` still returns true, until nothing more can be removed.
pub(crate) fn shrink(mut sequence: Sequence, mut fails: impl FnMut(&Sequence) -> bool) -> Sequence {
    // First long runs of steps, and then everything one by one.
    let mut run = sequence.steps.len();
    while run > 1 {
        run = run.div_ceil(2);
        let mut from = 0;
        while from < sequence.steps.len() {
            let mut shorter = sequence.clone();
            shorter.steps.drain(from..(from + run).min(sequence.steps.len()));
            if fails(&shorter) { sequence = shorter } else { from += run }
        }
    }
    while let Some(simpler) = simpler(&sequence).into_iter().find(&mut fails) {
        sequence = simpler;
    }
    sequence
}

/// Returns every sequence with one part less, or one part simpler.
fn simpler(sequence: &Sequence) -> Vec<Sequence> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Sequence)| {
        let mut simpler = sequence.clone();
        change(&mut simpler);
        found.push(simpler);
    };
    for (number, step) in sequence.steps.iter().enumerate() {
        add(&|sequence| drop(sequence.steps.remove(number)));
        if let Before::Options(options) = &step.before {
            add(&|sequence| {
                sequence.options = options.clone();
                sequence.steps[number].before = Before::Nothing;
            });
        }
        if step.before != Before::Nothing {
            add(&|sequence| sequence.steps[number].before = Before::Nothing);
        }
        for action in 0..step.actions.len() {
            add(&|sequence| drop(sequence.steps[number].actions.remove(action)));
        }
        for (place, sent) in step.cookies.iter().enumerate() {
            add(&|sequence| {
                sequence.steps[number].cookies.remove(place);
            });
            if *sent != Sent::Current {
                add(&|sequence| sequence.steps[number].cookies[place] = Sent::Current);
            }
        }
        if step.path != PATH {
            add(&|sequence| sequence.steps[number].path = PATH);
        }
        if step.proto.is_some() {
            add(&|sequence| sequence.steps[number].proto = None);
        }
        if step.status != 200 {
            add(&|sequence| sequence.steps[number].status = 200);
        }
    }
    for (place, name) in OPTIONS {
        if sequence.options.pointer(place).is_some_and(|options| options.get(name).is_some()) {
            add(&|sequence| {
                let options = sequence.options.pointer_mut(place).and_then(Value::as_object_mut);
                options.and_then(|options| options.remove(name));
            });
        }
    }
    found
}
