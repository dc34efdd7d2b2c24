//! The stores do not repeat each other: what several need is in `cloakroom-backend`.

use cloakroom_tests::stores::stores;

use crate::files::files;

/// From how many lines in a row on two places say the same.
const LINES: usize = 6;

/// How many pairs of places may do so in all stores together: the contract's signatures, and tests of different servers
/// that end alike.
const MOST: usize = 9;

/// A file's lines with their numbers, without comments, imports and lines of punctuation alone.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let says = |line: &str| {
        !line.starts_with("//") && !line.starts_with("use ") && line.contains(char::is_alphanumeric)
    };
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
    let stores = stores().unwrap();
    let files = files(".rs");
    let of_store = |(path, _): &(String, String)| {
        let package = path.strip_prefix("crates/")?.split('/').next()?;
        stores.iter().position(|store| store.package == package)
    };
    // With the tests of the stores, which repeat each other as easily.
    let files: Vec<(usize, &str, Vec<_>)> =
        files.iter().filter_map(|file| Some((of_store(file)?, &*file.0, lines(&file.1)))).collect();
    let mut places = Vec::new();
    for (number, (store, path, text)) in files.iter().enumerate() {
        for (_, other, other_text) in files[number + 1..].iter().filter(|other| other.0 != *store) {
            for (line, other_line) in shared(text, other_text) {
                places.push(format!("{path}:{line} and {other}:{other_line}"));
            }
        }
    }
    let number = places.len();
    assert!(number <= MOST, "{number} pairs of places:\n{}", places.join("\n"));
}

#[test]
fn what_is_the_same_is_found() {
    let text = "a\nb\n}\n// one\nc\nd\ne\nf\nx";
    let other = "y\na\nb\nc\n\n// two\n)\nd\ne\nf";
    assert_eq!(shared(&lines(text), &lines(other)), [(1, 2)]);
    assert_eq!(shared(&lines(text), &lines("a\nb\nc\nd\ne")), []);
}
