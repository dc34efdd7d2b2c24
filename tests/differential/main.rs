//! The real express-session and our layer, with the same random sequences of requests: they must not differ.
//!
//! Both keep their sessions in one Redis, each in its own database, and the test sets their clock. After each request,
//! it compares the status, the `Set-Cookie` lines, what the handler saw, and all records with their time to live.
//!
//! A failing sequence is shrunk and printed with its seed. To repeat it, or to try others:
//!
//! ```text
//! SEED=17 cargo xtask test -p cloakroom-tests --test differential
//! SEED=1000 SEQUENCES=5000 cargo xtask test -p cloakroom-tests --test differential
//! ```

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod browser;
mod databases;
mod generate;
mod ours;
mod sequence;
mod shrink;
mod site;
mod theirs;

use std::env;

use cloakroom_tower::SessionOptions;

use crate::{
    sequence::Sequence,
    site::{Difference, Seen, Site},
};

/// Returns the first of these seeds whose sequence shows a difference, with the shrunk sequence and the difference.
fn first_difference(
    site: &mut Site,
    seeds: std::ops::Range<u64>,
    seen: &mut Seen,
) -> Option<(u64, Sequence, Difference)> {
    for seed in seeds {
        let sequence = generate::sequence(seed);
        if let Err(mut difference) = site.play(&sequence, seen) {
            let shrunk = shrink::shrink(sequence, |sequence| {
                let played = site.play(sequence, &mut Seen::default());
                played.map_err(|smaller| difference = smaller).is_err()
            });
            return Some((seed, shrunk, difference));
        }
    }
    None
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn nothing_tells_the_express_preset_from_express_session() {
    let seed = number("SEED");
    let first = seed.unwrap_or(0);
    let sequences = number("SEQUENCES").unwrap_or(if seed.is_some() { 1 } else { 300 });
    let mut site = Site::start(|_| {}).await;
    let mut seen = Seen::default();
    if let Some((seed, sequence, Difference { step, what })) =
        first_difference(&mut site, first..first + sequences, &mut seen)
    {
        panic!("seed {seed}, shrunk:\n{sequence}\nat request {step}:\n{what}");
    }
    println!("{sequences} sequences, 0 differences: {seen:?}");
    if sequences >= 300 {
        // Otherwise the sequences would miss their subject.
        assert!(seen.loaded * 3 > seen.requests, "{seen:?}");
        assert!(seen.set_cookies * 4 > seen.requests, "{seen:?}");
        assert!(seen.refused * 100 > seen.requests, "{seen:?}");
        assert!(seen.unended * 1_000 > seen.requests, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn a_difference_is_found_and_shrunk() {
    let twists: [fn(&mut SessionOptions); 2] = [
        |options| options.expiry.rolling = !options.expiry.rolling,
        |options| options.unset = cloakroom_tower::Unset::Keep,
    ];
    for twist in twists {
        let mut site = Site::start(twist).await;
        let found = first_difference(&mut site, 0..20, &mut Seen::default());
        let (_, sequence, _) = found.expect("the options are not alike");
        assert!(sequence.steps.len() <= 2, "{sequence}");
        assert!(sequence.steps.iter().all(|step| step.actions.len() <= 1), "{sequence}");
    }
}
