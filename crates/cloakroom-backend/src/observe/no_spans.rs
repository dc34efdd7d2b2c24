//! What is left of `spans.rs` without the feature `tracing`: nothing.

use super::event::Event;

#[inline]
pub(super) const fn event(_: &Event<'_>) {}

#[cfg(feature = "metrics")]
pub(super) use without::StoreSpan;

/// What the metrics of an operation need of its span.
#[cfg(feature = "metrics")]
mod without {
    use std::time::Duration;

    use crate::observe::outcome::Outcome;

    #[derive(Clone)]
    pub(crate) struct StoreSpan;

    impl StoreSpan {
        pub(crate) const fn new(_: &str, _: &'static str, _: Option<&str>) -> Self {
            Self
        }

        #[allow(clippy::unused_self, reason = "as the span that there is with the feature")]
        pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
            work()
        }

        pub(crate) const fn server(&self, _: &str, _: Option<u16>) {}

        pub(crate) const fn end(&self, _: u32, _: Outcome, _: Duration) {}
    }
}
