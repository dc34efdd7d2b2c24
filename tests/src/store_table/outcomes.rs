//! What is known of each promise: from a run of the suite, or from what a store declares to it.
//!
//! A store's own test runs the suite on the same server, and fails where a declaration is not true. The table needs no
//! second run for what is declared there.

use std::fs;

use cloakroom_conformance::{CASES, Outcome, Report};
use cloakroom_core::{ErrorKind, Store};

use super::{Result, root};

/// A promise, and what the suite finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// Why it is broken, or the part that is not offered; empty if it is kept.
    pub(super) reason: String,
}

/// Every promise of the suite, in its order.
#[derive(Clone, Debug)]
pub(super) struct Outcomes(pub(super) Vec<Promise>);

impl From<Report> for Outcomes {
    fn from(report: Report) -> Self {
        let promises = report.cases.into_iter().map(|case| Promise {
            name: case.name,
            outcome: case.outcome,
            reason: case.reason.unwrap_or_default(),
        });
        Self(promises.collect())
    }
}

impl Outcomes {
    /// Returns what a store declares in a file of its crate, in the `suite!` of this module or in the first one at the
    /// top level.
    ///
    /// The suite does not require `find_by` to be declared, so this is compared with what the store offers.
    pub(super) async fn declared(
        store: &dyn Store,
        crate_name: &str,
        file: &str,
        module: Option<&str>,
    ) -> Result<Self> {
        let path = root().join("crates").join(crate_name).join(file);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let declarations = Declarations::read(&text, module)
            .ok_or_else(|| format!("no suite of {module:?} is in {}", path.display()))?;
        let finds = match store.enumerate().and_then(|enumerate| enumerate.find_by()) {
            Some(search) => match search.create_index("passport.user").await {
                Ok(()) => true,
                Err(error) if error.kind() == ErrorKind::Unsupported => false,
                Err(error) => return Err(error.into()),
            },
            None => false,
        };
        if declarations.lacks("find_by") == finds {
            let word = if finds { "is" } else { "is not" };
            return Err(format!("{}: find_by {word} offered", path.display()).into());
        }
        Ok(declarations.outcomes())
    }

    pub(super) fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Promise> {
        self.0.iter().filter(move |promise| promise.outcome == outcome)
    }
}

/// The arguments `not_offered` and `exceptions` of a `suite!`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Declarations {
    not_offered: Vec<String>,
    /// The names of promises, and why they are broken.
    exceptions: Vec<(String, String)>,
}

impl Declarations {
    /// Reads those of the first `suite!` in the module, or of the first at the top level.
    fn read(text: &str, module: Option<&str>) -> Option<Self> {
        let start = match module {
            Some(module) => {
                let start = text.find(&format!("\nmod {module} {{\n"))?;
                let end = start + text[start..].find("\n}\n").unwrap_or(text.len() - start);
                start + text[start..end].find("suite!(")?
            }
            None => text.find("\nsuite!(")?,
        };
        let arguments = in_brackets(&text[start..], '(', ')')?;
        let list = |name: &str| {
            let at = arguments.find(&format!("{name} = ["))?;
            in_brackets(&arguments[at..], '[', ']')
        };
        let parts = list("not_offered").unwrap_or_default().split(',').map(str::trim);
        let mut exceptions = Vec::new();
        // A name, and its reason in quotation marks.
        let mut pieces = list("exceptions").unwrap_or_default().split('"');
        while let (Some(name), Some(reason)) = (pieces.next(), pieces.next()) {
            let name = name.trim_matches(|c: char| c.is_whitespace() || c == ',' || c == '=');
            exceptions.push((name.to_owned(), reason.to_owned()));
        }
        let not_offered = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Some(Self { not_offered, exceptions })
    }

    fn lacks(&self, part: &str) -> bool {
        self.not_offered.iter().any(|lacking| lacking == part)
    }

    fn outcomes(&self) -> Outcomes {
        let promises = CASES.iter().map(|case| {
            let name = case.name();
            let broken = self.exceptions.iter().find(|(exception, _)| exception == name);
            let lacking = case.needs().iter().find(|part| self.lacks(part));
            let (outcome, reason) = match (broken, lacking) {
                (Some((_, why)), _) => (Outcome::Failed, &**why),
                (None, Some(part)) => (Outcome::NotOffered, *part),
                (None, None) => (Outcome::Passed, ""),
            };
            Promise { name, outcome, reason: reason.to_owned() }
        });
        Outcomes(promises.collect())
    }
}

/// Returns what is between the first opening bracket and its closing one. Brackets in strings do not count.
fn in_brackets(text: &str, open: char, close: char) -> Option<&str> {
    let start = text.find(open)? + open.len_utf8();
    let (mut depth, mut is_quoted) = (1, false);
    for (at, c) in text[start..].char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            _ if c == open => depth += 1,
            _ if c == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[start..start + at]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use cloakroom_conformance::{Options, StoreUnderTest, run_with};
    use cloakroom_core::{Clock, MemoryOptions, MemoryStore};

    use super::*;

    const TEXT: &str = r#"//! A suite of one store.

suite!(|| async { subject("(", f()) }, ignore = "needs it (or not)", not_offered = [find_by]);

mod other {
    use super::*;

    suite!(subject);
}

mod through_callbacks {
    suite!(
        || async { subject(1) },
        not_offered = [find_by, faults],
        exceptions = [
            set_creates = "one [1], or (2",
            touch_extends =
                "a reason on a line of its own",
        ],
    );
}
"#;

    #[test]
    fn declarations_are_those_of_the_module() {
        let declared = |parts: &[&str], exceptions: &[(&str, &str)]| Declarations {
            not_offered: parts.iter().map(|&part| part.to_owned()).collect(),
            exceptions: exceptions
                .iter()
                .map(|&(name, why)| (name.to_owned(), why.to_owned()))
                .collect(),
        };
        let read = |module| Declarations::read(TEXT, module);
        assert_eq!(read(None), Some(declared(&["find_by"], &[])));
        assert_eq!(read(Some("other")), Some(declared(&[], &[])));
        let broken =
            [("set_creates", "one [1], or (2"), ("touch_extends", "a reason on a line of its own")];
        assert_eq!(
            read(Some("through_callbacks")),
            Some(declared(&["find_by", "faults"], &broken))
        );
        assert_eq!(read(Some("missing")), None);
    }

    /// The memory's own suite has this subject.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_declared_is_what_the_suite_finds() {
        let run = run_with(Options::default(), || async {
            let clock = Clock::fixed(4_102_444_800_000);
            let store =
                MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
            StoreUnderTest::new(store.clone())
                .with_second_handle(store)
                .with_neighbour(MemoryStore::new())
                .with_clock(clock)
        });
        let found = Outcomes::from(run.await);
        let file = "tests/memory.rs";
        let store = MemoryStore::new();
        let declared = Outcomes::declared(&store, "cloakroom-conformance", file, None).await;
        let declared = declared.unwrap();
        assert_eq!(found.0, declared.0);
    }
}
