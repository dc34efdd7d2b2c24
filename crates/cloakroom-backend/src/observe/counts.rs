//! Metrics, for the crate `metrics`.
//!
//! Every label has a few values: names from the code, and the names of the stores in use. None has an id.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::{
    event::Event,
    outcome::{Outcome, error_type},
};

/// A metric, as [`METRICS`] lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// Whether it is a histogram, of seconds. Otherwise it is a counter.
    pub is_histogram: bool,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub description: &'static str,
}

const OPERATIONS: &str = "cloakroom_store_operations_total";
const DURATION: &str = "cloakroom_store_operation_duration_seconds";
const CONFLICTS: &str = "cloakroom_conflicts_total";
const MERGES: &str = "cloakroom_merges_total";
const CONNECTIONS: &str = "cloakroom_connections_total";
const RECONNECTS: &str = "cloakroom_reconnects_total";
const CONNECT_FAILURES: &str = "cloakroom_connect_failures_total";
const CONNECTIONS_LOST: &str = "cloakroom_connections_lost_total";
const FAILOVERS: &str = "cloakroom_failovers_total";
const COOKIES_REFUSED: &str = "cloakroom_cookies_refused_total";
const COOKIES_WITHHELD: &str = "cloakroom_cookies_withheld_total";
const DISCARDED: &str = "cloakroom_sessions_discarded_total";
const CREATED: &str = "cloakroom_sessions_created_total";
const MOVED: &str = "cloakroom_sessions_moved_total";
const DESTROYED: &str = "cloakroom_sessions_destroyed_total";
const ERRORS: &str = "cloakroom_errors_total";

const fn of(
    name: &'static str,
    labels: &'static [&'static str],
    description: &'static str,
) -> Metric {
    Metric { name, is_histogram: false, labels, description }
}

/// All metrics. `docs/observability.md` has the same table.
pub const METRICS: &[Metric] = &[
    of(OPERATIONS, &["store", "operation", "outcome"], "operations of the store"),
    Metric {
        name: DURATION,
        is_histogram: true,
        labels: &["store", "operation"],
        description: "how long operations of the store took",
    },
    of(CONFLICTS, &["store", "operation"], "updates that found another writer's change"),
    of(MERGES, &["store"], "changes that were merged with another writer's"),
    of(CONNECTIONS, &["store"], "all connections that were made, also those after a loss"),
    of(RECONNECTS, &["store"], "connections that were made after a loss"),
    of(CONNECT_FAILURES, &["store", "error"], "attempts to connect that failed"),
    of(CONNECTIONS_LOST, &["store", "reason"], "connections that were lost or given up"),
    of(FAILOVERS, &["store"], "changes of the primary"),
    of(COOKIES_REFUSED, &["reason"], "requests whose cookie led to no session"),
    of(COOKIES_WITHHELD, &[], "cookies that were not sent, because the request was not secure"),
    of(DISCARDED, &["reason"], "requests whose changes were not stored, as the session had ended"),
    of(CREATED, &["store"], "sessions that were stored for the first time"),
    of(MOVED, &["store"], "sessions that were stored under a new id"),
    of(DESTROYED, &["store"], "sessions that were destroyed"),
    of(ERRORS, &["operation", "error"], "errors that the layer reported"),
];

/// Bounds of buckets for the durations, in seconds: what OpenTelemetry recommends for its metric
/// `db.client.operation.duration`, in version 1.45.0 of the semantic conventions.
pub const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Describes all metrics to the recorder, which an exporter shows beside the numbers. Call it once, after the recorder
/// was installed. Metrics are recorded without it, too.
///
/// ```
/// cloakroom_backend::observe::describe_metrics();
/// ```
pub fn describe_metrics() {
    for metric in METRICS {
        if metric.is_histogram {
            describe_histogram!(metric.name, Unit::Seconds, metric.description);
        } else {
            describe_counter!(metric.name, Unit::Count, metric.description);
        }
    }
}

pub(super) fn operation(
    store: &str,
    operation: &'static str,
    outcome: Outcome,
    duration: Duration,
) {
    let store = store.to_owned();
    histogram!(DURATION, "store" => store.clone(), "operation" => operation).record(duration);
    counter!(OPERATIONS, "store" => store, "operation" => operation, "outcome" => outcome.as_str())
        .increment(1);
}

pub(super) fn event(event: &Event<'_>) {
    let counter = match *event {
        Event::Connected { store, .. } => counter!(CONNECTIONS, "store" => store),
        Event::Reconnected { store, .. } => {
            counter!(CONNECTIONS, "store" => store).increment(1);
            counter!(RECONNECTS, "store" => store)
        }
        Event::ConnectFailed { store, kind, .. } => {
            counter!(CONNECT_FAILURES, "store" => store, "error" => error_type(kind))
        }
        Event::ConnectionLost { store, reason, .. } => {
            counter!(CONNECTIONS_LOST, "store" => store, "reason" => reason)
        }
        Event::Failover { store, .. } => counter!(FAILOVERS, "store" => store),
        Event::Conflict { store, operation } => {
            counter!(CONFLICTS, "store" => store.to_owned(), "operation" => operation)
        }
        Event::Merged { store, .. } => counter!(MERGES, "store" => store.to_owned()),
        Event::CookieRefused { reason } => counter!(COOKIES_REFUSED, "reason" => reason),
        Event::CookieWithheld => counter!(COOKIES_WITHHELD),
        Event::SessionDiscarded { reason, .. } => counter!(DISCARDED, "reason" => reason),
        Event::SessionCreated { store } => counter!(CREATED, "store" => store.to_owned()),
        Event::SessionMoved { store } => counter!(MOVED, "store" => store.to_owned()),
        Event::SessionDestroyed { store } => counter!(DESTROYED, "store" => store.to_owned()),
        Event::Failed { error } => {
            let kind = error_type(error.kind());
            counter!(ERRORS, "operation" => error.operation(), "error" => kind)
        }
    };
    counter.increment(1);
}
