//! The stores do not repeat each other: what several need is in `cloakroom-backend`.

use std::{fs, path::Path};

use cloakroom_tests::stores::stores;

/// From how many lines in a row on two places say the same.
const LINES: usize = 6;

/// How many pairs of places may do so in two stores: the contract's signatures, the imports of the options and the
/// `with_…` methods of those that stores have in common.
const MOST: usize = 3;

/// A file's lines with their numbers, without comments and lines of punctuation alone.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let says = |line: &str| !line.starts_with("//") && line.contains(char::is_alphanumeric);
    lines.filter(|(_, line)| says(line)).collect()
}

/// Where a run of lines begins in both that is as long as it can be, and long enough.
fn shared(left: &[(usize, &str)], right: &[(usize, &str)]) -> Vec<(usize, usize)> {
    let same = |i: usize, j: usize| match (left.get(i), right.get(j)) {
        (Some((_, left)), Some((_, right))) => left == right,
        _ => false,
    };
    let mut found = Vec::new();
    for (i, (left_line, _)) in left.iter().enumerate() {
        for (j, (right_line, _)) in right.iter().enumerate() {
            let begins = i == 0 || j == 0 || !same(i - 1, j - 1);
            if begins && (0..LINES).all(|more| same(i + more, j + more)) {
                found.push((*left_line, *right_line));
            }
        }
    }
    found
}

#[test]
fn the_stores_do_not_repeat_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files: Vec<Vec<(String, String)>> = stores()
        .unwrap()
        .iter()
        .map(|store| {
            let folder = root.join("crates").join(&store.package).join("src");
            let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let rust = paths.filter(|path| path.extension().is_some_and(|end| end == "rs"));
            let file = |path: &Path| {
                let name = path.file_name().unwrap().to_string_lossy();
                (format!("{}/{name}", store.short()), fs::read_to_string(path).unwrap())
            };
            rust.map(|path| file(&path)).collect()
        })
        .collect();
    for (number, store) in files.iter().enumerate() {
        for other_store in &files[number + 1..] {
            let mut places = Vec::new();
            for (name, text) in store {
                for (other, other_text) in other_store {
                    for (line, other_line) in shared(&lines(text), &lines(other_text)) {
                        places.push(format!("{name}:{line} and {other}:{other_line}"));
                    }
                }
            }
            let number = places.len();
            assert!(number <= MOST, "{number} pairs of places:\n{}", places.join("\n"));
        }
    }
}

#[test]
fn what_is_the_same_is_found() {
    let text = "a\nb\n}\n// one\nc\nd\ne\nf\nx";
    let other = "y\na\nb\nc\n\n// two\n)\nd\ne\nf";
    assert_eq!(shared(&lines(text), &lines(other)), [(1, 2)]);
    assert_eq!(shared(&lines(text), &lines("a\nb\nc\nd\ne")), []);
}
