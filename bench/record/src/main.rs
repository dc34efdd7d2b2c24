//! The area `record`: a stored session is parsed and one member is read, or changed and the whole written again.

mod cloakroom_record;
mod raw_members;
mod sonic_lazy;
mod typed;
mod value;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use cloakroom_bench::{Options, Sample, allocations, allocations::Counting, cpu, documents};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A way to do it, from bytes that a client has read.
struct Subject {
    name: &'static str,
    /// Returns the member `views`.
    read: fn(Vec<u8>) -> i64,
    /// Returns the record with one view more.
    update: fn(Vec<u8>) -> Vec<u8>,
}

const SUBJECTS: &[Subject] = &[
    cloakroom_record::SUBJECT,
    raw_members::SUBJECT,
    sonic_lazy::SUBJECT,
    value::SUBJECT,
    typed::SUBJECT,
];

const SIZES: [(&str, usize); 3] = [("500 bytes", 500), ("4 KB", 4_096), ("100 KB", 102_400)];

const BASE: &str = raw_members::SUBJECT.name;

fn main() {
    let options = Options::from_arguments();
    for (table, bytes) in SIZES {
        let text = documents::session(bytes, "2099-01-01T00:00:00.000Z").into_bytes();
        for subject in SUBJECTS {
            check(subject, &text);
        }
        for round in 0..options.rounds {
            for Subject { name, read, update } in SUBJECTS {
                let sample = |work, run: &dyn Fn(Vec<u8>)| {
                    let (nanos, allocations) = measure(options, &text, run);
                    Sample::new(table, work, name, BASE, round)
                        .with("CPU, ns", nanos)
                        .with("allocations", allocations)
                        .print();
                };
                sample("read a member", &|text| {
                    black_box(read(text));
                });
                sample("change a member", &|text| drop(black_box(update(text))));
            }
        }
    }
}

/// All subjects read the same, and write it; ours keeps each byte of what was not changed.
fn check(subject: &Subject, text: &[u8]) {
    let name = subject.name;
    assert_eq!((subject.read)(text.to_vec()), 1, "{name}");
    let updated = (subject.update)(text.to_vec());
    let value = |text: &[u8]| -> serde_json::Value { serde_json::from_slice(text).expect("JSON") };
    let mut expected = value(text);
    expected["views"] = 2.into();
    assert_eq!(value(&updated), expected, "{name}");
    if name == cloakroom_record::SUBJECT.name {
        let text = String::from_utf8_lossy(text).replacen(r#""views":1"#, r#""views":2"#, 1);
        assert_eq!(String::from_utf8_lossy(&updated), text);
    }
}

/// The CPU time and the allocations of one call. The copy of the text, which stands for what the client has read, is
/// made for all subjects.
fn measure(options: Options, text: &[u8], run: &dyn Fn(Vec<u8>)) -> (f64, f64) {
    let time = Duration::from_millis(if options.quick { 20 } else { 60 });
    let once = || run(black_box(text).to_vec());
    let (began, mut times) = (Instant::now(), 0);
    while began.elapsed() < time / 4 {
        once();
        times += 1;
    }
    times *= 4;
    let before = cpu::of_this_thread();
    for _ in 0..times {
        once();
    }
    let nanos = (cpu::of_this_thread() - before).as_nanos() as f64 / f64::from(times);
    allocations::start();
    once();
    // Without the copy.
    (nanos, (allocations::stop() - 1) as f64)
}
