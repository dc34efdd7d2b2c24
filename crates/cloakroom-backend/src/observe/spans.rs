//! Spans and events, for the crate `tracing`.
//!
//! Fields that OpenTelemetry has a name for have that name, as of version 1.45.0 of its semantic conventions for spans
//! of database clients. The fields with `otel.` are read by the crate `tracing-opentelemetry`.

use std::time::Duration;

use tracing::{Span, debug_span, field::Empty};

use super::{
    event::Event,
    hash::hash,
    outcome::{Outcome, error_type},
};

/// The target of all spans and events.
pub(super) const TARGET: &str = "cloakroom";

/// The span of an operation of a store.
#[derive(Clone)]
pub(super) struct StoreSpan(Span);

impl StoreSpan {
    pub(super) fn new(store: &str, operation: &'static str, sid: Option<&str>) -> Self {
        let span = debug_span!(
            target: TARGET,
            "cloakroom.store",
            "otel.name" = operation,
            "otel.kind" = "client",
            "db.system.name" = store,
            "db.operation.name" = operation,
            "server.address" = Empty,
            "server.port" = Empty,
            "session.hash" = Empty,
            tries = Empty,
            outcome = Empty,
            duration = Empty,
            "error.type" = Empty,
            "otel.status_code" = Empty,
        );
        if !span.is_disabled()
            && let Some(hash) = sid.and_then(hash)
        {
            span.record("session.hash", hash);
        }
        Self(span)
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn server(&self, address: &str, port: Option<u16>) {
        self.0.record("server.address", address);
        if let Some(port) = port {
            self.0.record("server.port", port);
        }
    }

    pub(super) fn end(&self, tries: u32, outcome: Outcome, duration: Duration) {
        self.0.record("tries", tries);
        record_end(&self.0, outcome, duration);
    }
}

/// Records how an operation ended.
pub(super) fn record_end(span: &Span, outcome: Outcome, duration: Duration) {
    span.record("outcome", outcome.as_str());
    span.record("duration", duration.as_secs_f64());
    if let Some(kind) = outcome.failure() {
        span.record("error.type", kind);
        span.record("otel.status_code", "ERROR");
    }
}

/// Emits an event.
macro_rules! tell {
    ($level:ident, $name:literal, $fields:tt, $message:literal) => {
        tracing::event!(name: $name, target: TARGET, tracing::Level::$level, $fields, $message)
    };
}

pub(super) fn event(event: &Event<'_>) {
    match *event {
        Event::Connected { store, server } => {
            tell!(INFO, "cloakroom.connected", { db.system.name = store, server }, "connected");
        }
        Event::Reconnected { store, server } => {
            tell!(INFO, "cloakroom.reconnected", { db.system.name = store, server }, "reconnected");
        }
        Event::ConnectFailed { store, server, kind } => {
            let kind = error_type(kind);
            tell!(WARN, "cloakroom.connect_failed", { db.system.name = store, server, error.type = kind }, "cannot connect");
        }
        Event::ConnectionLost { store, server, reason } => {
            tell!(WARN, "cloakroom.connection_lost", { db.system.name = store, server, reason }, "the connection was lost");
        }
        Event::Failover { store, server } => {
            tell!(WARN, "cloakroom.failover", { db.system.name = store, server }, "the primary has changed");
        }
        Event::Conflict { store, operation } => {
            tell!(DEBUG, "cloakroom.conflict", { db.system.name = store, operation }, "another writer has changed the session");
        }
        Event::Merged { store, tries } => {
            tell!(DEBUG, "cloakroom.merged", { db.system.name = store, tries }, "the change was merged with another writer's");
        }
        Event::CookieRefused { reason } => {
            tell!(
                DEBUG,
                "cloakroom.cookie_refused",
                { reason },
                "the request's cookie leads to no session"
            );
        }
        Event::CookieWithheld => {
            tell!(
                DEBUG,
                "cloakroom.cookie_withheld",
                {},
                "a Secure cookie was not sent, because the request is not secure"
            );
        }
        Event::SessionDiscarded { reason, message } => {
            tell!(WARN, "cloakroom.session_discarded", { reason }, "{message}");
        }
        Event::SessionCreated { store } => {
            tell!(
                DEBUG,
                "cloakroom.session_created",
                { db.system.name = store },
                "a session was created"
            );
        }
        Event::SessionMoved { store } => {
            tell!(
                DEBUG,
                "cloakroom.session_moved",
                { db.system.name = store },
                "a session moved to a new id"
            );
        }
        Event::SessionDestroyed { store } => {
            tell!(
                DEBUG,
                "cloakroom.session_destroyed",
                { db.system.name = store },
                "a session was destroyed"
            );
        }
        Event::Failed { error } => {
            let (kind, operation) = (error_type(error.kind()), error.operation());
            tell!(WARN, "cloakroom.error", { operation, error.type = kind }, "{error}");
        }
    }
}
