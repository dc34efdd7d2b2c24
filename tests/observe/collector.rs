//! Collects the spans, events and metrics of some work.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::{LookupSpan, Registry},
};

pub(crate) type Fields = BTreeMap<String, String>;

/// A span, as it was when it was closed, or an event.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) fields: Fields,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What some work has shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) spans: Vec<Seen>,
    pub(crate) open: usize,
    pub(crate) events: Vec<Seen>,
    /// Name, labels, and the count of a counter or of a histogram's values.
    pub(crate) metrics: Vec<(String, Fields, u64)>,
}

impl Shown {
    /// The operations of stores, as `operation outcome tries`.
    pub(crate) fn operations(&self) -> Vec<String> {
        let spans = self.spans.iter().filter(|span| span.name == "cloakroom.store");
        spans
            .map(|span| {
                let field = |name| span.field(name);
                format!("{} {} {}", field("db.operation.name"), field("outcome"), field("tries"))
            })
            .collect()
    }

    /// What the handle and the layer have done, as `by operation outcome`.
    pub(crate) fn verbs(&self) -> Vec<String> {
        let spans = self.spans.iter().filter(|span| span.name == "cloakroom.session");
        spans
            .map(|span| {
                let field = |name| span.field(name);
                format!("{} {} {}", field("by"), field("operation"), field("outcome"))
            })
            .collect()
    }

    pub(crate) fn event(&self, name: &str) -> Vec<&Seen> {
        self.events.iter().filter(|event| event.name == name).collect()
    }

    /// The sum of a metric over all series that have these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let has = |found: &Fields| {
            labels.iter().all(|(name, value)| found.get(*name).is_some_and(|found| found == value))
        };
        let series = self.metrics.iter().filter(|(found, labels, _)| found == name && has(labels));
        series.map(|(_, _, count)| count).sum()
    }

    /// Fails if any of these texts is shown anywhere.
    pub(crate) fn assert_without(&self, secrets: &[&str]) {
        let text = format!("{self:?}");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret:?} is shown");
        }
    }
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Shown>>);

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        let again = self.fields.insert(field.name().to_owned(), value);
        assert_eq!(again, None, "a field is recorded once, or a log shows it twice");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != "cloakroom" {
            return;
        }
        let mut span =
            Seen { name: attributes.metadata().name().to_owned(), fields: Fields::new() };
        attributes.record(&mut span);
        context.span(id).unwrap().extensions_mut().insert(span);
        self.0.lock().unwrap().open += 1;
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if let Some(seen) = span.extensions_mut().get_mut::<Seen>() {
            values.record(seen);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(seen) = context.span(&id).unwrap().extensions_mut().remove::<Seen>() {
            let mut shown = self.0.lock().unwrap();
            shown.open -= 1;
            shown.spans.push(seen);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "cloakroom" {
            return;
        }
        let mut seen = Seen { name: event.metadata().name().to_owned(), fields: Fields::new() };
        event.record(&mut seen);
        self.0.lock().unwrap().events.push(seen);
    }
}

/// Returns what `work` shows. It runs on this thread alone, like everything that it spawns.
pub(crate) fn watch(work: impl AsyncFnOnce()) -> Shown {
    let (collector, recorder) = (Collector::default(), DebuggingRecorder::new());
    let snapshotter = recorder.snapshotter();
    let subscriber = Registry::default().with(collector.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || runtime.block_on(work()));
    });
    drop(runtime);
    let mut shown = std::mem::take(&mut *collector.0.lock().unwrap());
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels = key.key().labels();
        let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
        let count = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Histogram(values) => {
                assert!(values.iter().all(|seconds| (0.0..600.0).contains(&**seconds)));
                values.len() as u64
            }
            DebugValue::Gauge(_) => panic!("no gauge is in the table"),
        };
        shown.metrics.push((key.key().name().to_owned(), labels.collect(), count));
    }
    shown
}
