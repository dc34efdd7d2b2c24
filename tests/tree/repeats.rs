//! The stores do not repeat each other: what several need is in `cloakroom-backend`.

use std::collections::HashMap;

use cloakroom_tests::stores::stores;

use crate::files::files;

/// From how many lines in a row on two places say the same.
const LINES: usize = 6;

/// How many pairs of places may do so in all stores together: the contract's signatures, and tests of different servers
/// that end alike.
const MOST: usize = 8;

/// A file's lines with their numbers, without comments, imports and lines of punctuation alone.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let says = |line: &str| {
        !line.starts_with("//") && !line.starts_with("use ") && line.contains(char::is_alphanumeric)
    };
    lines.filter(|(_, line)| says(line)).collect()
}

/// A file of a store: the store's number, the path and the lines.
type Source<'a> = (usize, &'a str, Vec<(usize, &'a str)>);

/// Where a run of lines begins in the files of two stores that is as long as it can be, and long enough.
fn repeats(sources: &[Source<'_>]) -> Vec<String> {
    let before =
        |lines: &[(usize, &'_ str)], at: usize| Some(lines[at.checked_sub(1)?].1.to_owned());
    // By what these lines say, the files and the places in them.
    let mut seen: HashMap<Vec<&str>, Vec<(usize, usize)>> = HashMap::new();
    let mut found = Vec::new();
    for (number, (store, path, lines)) in sources.iter().enumerate() {
        for (at, run) in lines.windows(LINES).enumerate() {
            let places = seen.entry(run.iter().map(|(_, line)| *line).collect()).or_default();
            for (other, other_at) in places.iter().copied() {
                let (other_store, other_path, other_lines) = &sources[other];
                let previous = before(lines, at);
                let begins = previous.is_none() || previous != before(other_lines, other_at);
                if begins && other_store != store {
                    let (line, other_line) = (run[0].0, other_lines[other_at].0);
                    found.push(format!("{other_path}:{other_line} and {path}:{line}"));
                }
            }
            places.push((number, at));
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
    let sources: Vec<Source<'_>> =
        files.iter().filter_map(|file| Some((of_store(file)?, &*file.0, lines(&file.1)))).collect();
    let places = repeats(&sources);
    let number = places.len();
    assert!(number <= MOST, "{number} pairs of places:\n{}", places.join("\n"));
}

#[test]
fn what_is_the_same_is_found() {
    let text = "a\nb\n}\n// one\nc\nd\ne\nf\nx";
    let other = "y\na\nb\nc\n\n// two\n)\nd\ne\nf";
    let found = |store, other| repeats(&[(0, "one", lines(text)), (store, "two", lines(other))]);
    assert_eq!(found(1, other), ["one:1 and two:2"]);
    assert_eq!(found(1, text), ["one:1 and two:1"], "a longer run is one");
    assert_eq!(found(0, other), [""; 0], "of one store");
    assert_eq!(found(1, "a\nb\nc\nd\ne"), [""; 0]);
}
