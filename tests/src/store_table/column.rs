//! What the table says of one store.

use cloakroom_conformance::Outcome;

use super::{Result, SERVER, outcomes::Outcomes, round_trips::RoundTrips, versions};
use crate::{losses::losses, stores::stores};

/// What a row is called, and a store's cell in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cell: String,
}

/// All that is known of a store.
pub(super) struct Column {
    /// The word above it.
    pub(super) name: &'static str,
    pub(super) outcomes: Outcomes,
    pub(super) round_trips: Vec<RoundTrips>,
    /// `None` for the store in memory.
    pub(super) backend: Option<Backend>,
}

/// What a store stands on, and what it stands beside.
pub(super) struct Backend {
    /// The package of the store.
    pub(super) package: String,
    /// The server with its version.
    pub(super) server: String,
    client: String,
    counterpart: String,
    tested_with: String,
    better: String,
}

impl Backend {
    /// Of this crate, on this server and client crate, beside the npm package that the mark of the crate names.
    pub(super) fn new(crate_name: &str, server: String, client: &str) -> Result<Self> {
        let mut stores = stores()?.into_iter();
        let store = stores.find(|store| store.package == crate_name);
        let package = &store.ok_or_else(|| format!("{crate_name} has no mark"))?.counterpart;
        Self::beside(crate_name, server, client, package, package)
    }

    /// Beside another package than the mark names, after which the README calls its table of losses.
    pub(super) fn beside(
        crate_name: &str,
        server: String,
        client: &str,
        counterpart: &str,
        package: &str,
    ) -> Result<Self> {
        Ok(Self {
            package: crate_name.to_owned(),
            server,
            client: versions::of_crate(client)?,
            counterpart: versions::of_counterpart(crate_name, counterpart)?,
            tested_with: versions::of_npm_package(counterpart)?,
            better: format!(
                "[{} losses avoided](crates/{crate_name}/README.md#what-is-different-from-{package}), each with a test",
                losses(crate_name)?.len()
            ),
        })
    }
}

/// A store on several servers that work together, beside its column for one server.
pub(super) struct Several {
    /// The words above it.
    pub(super) name: &'static str,
    /// The package of the store.
    pub(super) package: &'static str,
    pub(super) outcomes: Outcomes,
    pub(super) round_trips: Vec<RoundTrips>,
    /// The servers with their version.
    pub(super) servers: String,
}

impl Several {
    /// From the top. What is not said is as on one server.
    pub(super) fn rows(&self, columns: &[Column]) -> Result<Vec<Row>> {
        let column = columns.iter().find(|column| column.package() == Some(self.package));
        let one = &column.ok_or_else(|| format!("{} has no column", self.package))?.round_trips;
        let row = |name: &str, cell| Row { name: name.to_owned(), cell };
        Ok(vec![
            row("promises kept", promises(&self.outcomes)),
            row("round trips", beside(one, &self.round_trips)),
            row(SERVER, self.servers.clone()),
        ])
    }
}

/// Which operations take other numbers of round trips than on one server.
fn beside(one: &[RoundTrips], several: &[RoundTrips]) -> String {
    let others = several.iter().filter(|count| !one.contains(count)).map(|(operation, count)| {
        let count = count.map_or_else(|| "not offered".to_owned(), |count| count.to_string());
        format!("`{operation}` {count}")
    });
    let others: Vec<_> = others.collect();
    if others.is_empty() { "as on one server".to_owned() } else { others.join(", ") }
}

/// Operations that are offered together, by the parts of the contract that the outcomes name.
const OFFERS: [(&str, &[&str]); 3] = [
    ("`touch`", &["touch"]),
    ("`create`, `update`, `get_and_touch`", &["atomic"]),
    ("`ids`, `all`, `length`, `clear`", &["ids", "all", "length", "clear"]),
];

impl Column {
    /// The package of the store; `None` for the store in memory, which is part of the core.
    pub(super) fn package(&self) -> Option<&str> {
        self.backend.as_ref().map(|backend| &*backend.package)
    }

    /// From the top.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut row = |name: &str, cell| rows.push(Row { name: name.to_owned(), cell });
        let fact = |fact: fn(&Backend) -> &String| {
            self.backend.as_ref().map_or_else(|| "–".to_owned(), |backend| fact(backend).clone())
        };
        row("counterpart", fact(|backend| &backend.counterpart));
        row("better than its counterpart", fact(|backend| &backend.better));
        row("promises kept", promises(&self.outcomes));
        for (operations, parts) in OFFERS {
            row(&format!("offers {operations}"), offers(&self.outcomes, parts));
        }
        for (operation, count) in &self.round_trips {
            let (operation, when) = operation.split_once(' ').unwrap_or((operation, ""));
            let name = format!("round trips of `{operation}` {when}");
            row(
                name.trim_end(),
                count.map_or_else(|| "not offered".to_owned(), |count| count.to_string()),
            );
        }
        row(SERVER, fact(|backend| &backend.server));
        row("through the crate", fact(|backend| &backend.client));
        row("back and forth with the npm package", fact(|backend| &backend.tested_with));
        rows
    }
}

/// How many promises are kept, which are not, and about how many nothing is known.
fn promises(outcomes: &Outcomes) -> String {
    let count = |outcome| outcomes.with(outcome).count();
    let mut parts = vec![format!("{} of {}", count(Outcome::Passed), outcomes.0.len())];
    let broken = outcomes.with(Outcome::Failed);
    parts.extend(broken.map(|promise| format!("not `{}`", promise.name)));
    if count(Outcome::NotOffered) > 0 {
        parts.push(format!("{} not offered", count(Outcome::NotOffered)));
    }
    parts.join(", ")
}

fn offers(outcomes: &Outcomes, parts: &[&str]) -> String {
    let lacks = |part: &str| {
        let mut lacking = outcomes.with(Outcome::NotOffered).map(|promise| &*promise.reason);
        // A store without the listing lacks each of its operations.
        lacking.any(|lack| lack == part || (lack == "enumerate" && parts.len() > 1))
    };
    let lacking: Vec<_> =
        parts.iter().filter(|part| lacks(part)).map(|part| format!("`{part}`")).collect();
    match lacking.len() {
        0 => "yes".to_owned(),
        all if all == parts.len() => "not offered".to_owned(),
        _ => format!("not {}", lacking.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_conformance::CASES;

    use super::{super::outcomes::Promise, *};

    /// Those of a store that keeps every promise.
    fn all_kept() -> Outcomes {
        let kept = |name| Promise { name, outcome: Outcome::Passed, reason: String::new() };
        Outcomes(CASES.iter().map(|case| kept(case.name())).collect())
    }

    #[test]
    fn only_other_round_trips_are_said() {
        let one = [("get", Some(1)), ("update", Some(1))];
        assert_eq!(beside(&one, &one), "as on one server");
        assert_eq!(beside(&one, &[("get", Some(1)), ("update", Some(2))]), "`update` 2");
        assert_eq!(beside(&one, &[("get", None)]), "`get` not offered");
    }

    #[test]
    fn what_is_broken_or_not_offered_is_said() {
        let whole = all_kept();
        let all = whole.0.len();
        assert_eq!(promises(&whole), format!("{all} of {all}"));
        for (_, parts) in OFFERS {
            assert_eq!(offers(&whole, parts), "yes");
        }

        let mut poorer = whole;
        for promise in &mut poorer.0 {
            let (outcome, reason) = match promise.name {
                "set_creates" => (Outcome::Failed, "broken"),
                "touch_extends" => (Outcome::NotOffered, "touch"),
                "length_counts_live_sessions" => (Outcome::NotOffered, "length"),
                _ => continue,
            };
            (promise.outcome, promise.reason) = (outcome, reason.to_owned());
        }
        assert_eq!(
            promises(&poorer),
            format!("{} of {all}, not `set_creates`, 2 not offered", all - 3)
        );
        assert_eq!(
            OFFERS.map(|(_, parts)| offers(&poorer, parts)),
            ["not offered", "yes", "not `length`"]
        );
        for (promise, case) in poorer.0.iter_mut().zip(CASES) {
            if case.group() == "listing" {
                (promise.outcome, promise.reason) = (Outcome::NotOffered, "enumerate".to_owned());
            }
        }
        assert_eq!(offers(&poorer, OFFERS[2].1), "not offered");
    }
}
