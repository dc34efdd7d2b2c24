//! Phrases that were removed from the project's texts stay removed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A phrase that we do not write, and what to write instead.
///
/// These phrases can be understood, but nobody would say them to a colleague, and readers stumble over them.
const PHRASES: &[(&str, &str)] = &[
    ("is none", "say what is accepted (\"must be between 1 and 65535\"), or \"does not exist\""),
    ("are none", "\"has no …\", or \"does not exist\""),
    ("was none", "\"did not exist\""),
    ("can be none", "say what is missing"),
    ("of others", "name them: \"of other requests\", \"user callbacks\""),
    ("as it is by then", "\"the current …\""),
    ("at the worst", "\"if necessary\""),
    ("no half a", "\"never a partial …\""),
    ("all the same", "\"anyway\", or leave it out"),
    ("shall", "\"must\", or the present tense"),
    ("mend", "\"fix\""),
    ("mended", "\"fixed\""),
    ("so is", "repeat the verb"),
    ("so are", "repeat the verb"),
    ("such as are", "\"those that are\""),
    ("unless set", "\"by default\""),
    ("is told of", "\"receives\", or \"is notified of\""),
    ("ends tls", "\"terminates TLS\""),
    ("wants a password", "\"requires a password\""),
    ("known are", "\"known … are\""),
    ("one feature a", "\"per\""),
    ("one case a", "\"per\""),
    ("one idea a", "\"per\""),
    ("one row a", "\"per\""),
    ("what became of", "\"the outcome of …\""),
    ("what came of", "\"the outcome of …\""),
    ("what can be set", "\"the options of …\""),
    ("has no meaning", "\"is invalid\""),
    ("has not the", "\"does not have the …\""),
    ("is in the way", "\"conflicts with …\""),
    ("goes by its", "\"uses its …\""),
    ("is to be", "\"must be …\", or say who does it"),
    ("are to be", "\"must be …\", or say who does it"),
    ("at the most", "\"at most\""),
    ("has been told", "\"was reported\""),
    ("have been told", "\"were reported\""),
    ("sentence a line", "\"per\""),
    ("a file a", "\"one file per\""),
    ("one a theme", "\"per\""),
    ("no use for", "\"does not use …\""),
    ("for whatever reason", "\"for any reason\""),
];

/// Beginnings of paths whose texts still contain such phrases. The test fails if one of them is clean, so that it is
/// removed from this list.
const NOT_YET_CLEAN: &[&str] = &[];

/// The words that may follow "is no": "is no longer" and "is no matter" are fine. "there is no" is fine, too.
const AFTER_IS_NO: &[&str] = &["longer", "more", "less", "matter"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The texts of the project by their paths: Rust and Markdown, without what others wrote and without the history.
fn texts() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", "fixtures", ".git"].contains(&&*name) {
                    walk(&path, found);
                }
            } else if (name.ends_with(".rs") || name.ends_with(".md"))
                && !["CHANGELOG.md", "english.rs"].contains(&&*name)
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The words of a text in lower case. A phrase can run over the end of a line, so comment marks are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches("//").trim_start_matches(['/', '!']);
        words.extend(line.split_whitespace().map(str::to_lowercase));
    }
    words
}

/// The word without the quotes and marks around it. Backticks stay: "`None`" is code.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && !['`', '_'].contains(&c))
}

/// The phrases in a text, each as often as it occurs.
fn phrases_in(text: &str) -> Vec<String> {
    let words = words(text);
    let bare: Vec<&str> = words.iter().map(|word| bare(word)).collect();
    let mut found = Vec::new();
    for (phrase, _) in PHRASES {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        for (at, window) in bare.windows(wanted.len()).enumerate() {
            // A mark at the end of an inner word ends the phrase.
            let is_plain = |word: &String| word.ends_with(char::is_alphanumeric);
            if window == wanted && words[at..at + wanted.len() - 1].iter().all(is_plain) {
                found.push((*phrase).to_owned());
            }
        }
    }
    for (window, after) in words.windows(3).zip(bare.iter().skip(3)) {
        let is_no = window[1] == "is" && window[2] == "no" && !window[0].ends_with("there");
        if is_no && !AFTER_IS_NO.contains(after) {
            found.push(format!("is no {after}"));
        }
    }
    let ends = |word: &&String| ["meanwhile.", "meanwhile;", "meanwhile:"].contains(&&***word);
    found.extend(words.iter().filter(ends).cloned());
    found
}

#[test]
fn phrases_are_found_across_lines_and_in_any_case() {
    for (text, phrases) in [
        ("/// `None` when there is\n/// none.", vec!["is none"]),
        ("//! Is none of 1 to 5; code of others.", vec!["is none", "of others"]),
        ("the cookie is no\nheader", vec!["is no header"]),
        ("It changed meanwhile.", vec!["meanwhile."]),
        ("There is no pause. It is no longer there, and is `None`. Meanwhile it waits.", vec![]),
        ("recommend the shallow `mend`", vec![]),
    ] {
        assert_eq!(phrases_in(text), phrases, "{text}");
    }
}

#[test]
fn texts_do_not_use_the_phrases_that_were_removed() {
    let mut unclean: BTreeMap<&str, bool> =
        NOT_YET_CLEAN.iter().map(|folder| (*folder, false)).collect();
    let mut found = Vec::new();
    for (path, text) in texts() {
        let phrases = phrases_in(&text);
        if phrases.is_empty() {
            continue;
        }
        match unclean.iter_mut().find(|(folder, _)| path.starts_with(**folder)) {
            Some((_, is_unclean)) => *is_unclean = true,
            None => found.push(format!("{path}: {}", phrases.join(", "))),
        }
    }
    assert!(found.is_empty(), "reword these, see PHRASES for what to write:\n{}", found.join("\n"));
    unclean.retain(|_, is_unclean| !*is_unclean);
    assert!(unclean.is_empty(), "clean by now, take off NOT_YET_CLEAN: {:?}", unclean.keys());
}
