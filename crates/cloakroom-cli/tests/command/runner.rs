//! Runs the built command, and compares what it prints.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

/// One call of the command: what it is given, and what it must say.
pub(crate) struct Case {
    pub(crate) args: &'static [&'static str],
    /// What it reads from standard input.
    pub(crate) stdin: &'static str,
    pub(crate) code: i32,
    /// Patterns of what it prints. `*` stands for any characters.
    pub(crate) stdout: &'static str,
    pub(crate) stderr: &'static str,
}

/// What a call has printed, and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    // What the tester has set must not count.
    for variable in ["CLOAKROOM_URL", "CLOAKROOM_SECRETS", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

/// Sends SIGINT, as Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

pub(crate) fn run(command: &mut Command, stdin: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read what it is given.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a case in which words stand for something: `{STORE}` for a URL, for example.
pub(crate) fn check(case: &Case, words: &[(&str, &str)], environment: &[(&str, &str)]) {
    let told = |text: &str| {
        words.iter().fold(text.to_owned(), |text, (word, means)| text.replace(word, means))
    };
    let mut command = command();
    command.args(case.args.iter().map(|arg| told(arg))).envs(environment.iter().copied());
    let ended = run(&mut command, &told(case.stdin));
    let what = format!("{:?}\nstdout: {}\nstderr: {}", case.args, ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(case.code), "{what}");
    assert!(matches(&told(case.stdout), &ended.stdout), "stdout of {what}");
    assert!(matches(&told(case.stderr), &ended.stderr), "stderr of {what}");
}

/// Returns true if a text fits a pattern. A line break at the end does not count.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let text = text.trim_end_matches('\n');
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

#[test]
fn patterns_have_stars() {
    for (pattern, text, is_match) in [
        ("", "", true),
        ("a", "a\n", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*b", "ab", true),
        ("a*c*e", "abcde", true),
        ("a*x*e", "abcde", false),
        ("*", "", true),
    ] {
        assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
    }
}
