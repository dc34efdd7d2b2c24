//! Runs every target on its seeds, and on seeds that are changed at random, always in the same way.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{collections::BTreeSet, env, fs, panic, path::PathBuf};

use cloakroom_test_fuzz::TARGETS;

/// Changed inputs for each target. `CHANGES` asks for more.
const CHANGES: usize = 200;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz")).join(name)
}

fn names(name: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder(name)).expect("the folder is in the repository");
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("seeds/{target}");
    let files = names(&folder).into_iter();
    files.map(|name| fs::read(self::folder(&folder).join(name)).unwrap()).collect()
}

/// xorshift64: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

/// Changes a few places: a byte that is replaced, removed, doubled, or a piece of another seed.
fn changed(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len());
        match dice.below(6) {
            0 if !input.is_empty() => input[at] = u8::try_from(dice.below(256)).unwrap(),
            1 if !input.is_empty() => input[at] ^= 1 << dice.below(8),
            2 if !input.is_empty() => drop(input.remove(at)),
            3 => input.insert(at, b"\0\"\\{}[],:;=%@/?&\r\n\xff1"[dice.below(20)]),
            4 => {
                let from = dice.below(other.len());
                let piece = &other[from..(from + dice.below(16)).min(other.len())];
                input.splice(at..at, piece.iter().copied());
            }
            _ => input.truncate(at.max(1)),
        }
    }
    input
}

#[test]
fn every_target_holds_on_its_seeds_and_on_changed_ones() {
    let changes = env::var("CHANGES").map_or(CHANGES, |text| text.parse().unwrap());
    for (number, (name, run)) in TARGETS.iter().enumerate() {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 + number as u64);
        let hold = |input: &[u8]| {
            if panic::catch_unwind(|| run(input)).is_err() {
                panic!("{name} fails for {:?}", input.escape_ascii().to_string());
            }
        };
        seeds.iter().for_each(|seed| hold(seed));
        for _ in 0..changes {
            let seed = &seeds[dice.below(seeds.len())];
            let other = &seeds[dice.below(seeds.len())];
            hold(&changed(seed, other, &mut dice));
        }
    }
}

#[test]
fn every_target_has_a_file_and_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files: BTreeSet<_> =
        names("fuzz_targets").iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(files, targets);
    assert_eq!(names("seeds"), targets);
}
