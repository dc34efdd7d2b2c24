//! A log and a page of metrics: `cargo run --features observe --example observe -- redis://localhost`
//!
//! Without an argument, the sessions are in memory. The log is on stderr; the metrics are on the page
//! `/metrics`, as Prometheus reads them. `docs/observability.md` explains both.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, error::Error, future::ready, io};

use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};
use cloakroom::{
    Secrets,
    observe::{DURATION_BUCKETS, describe_metrics},
    tower::{Session, SessionError, SessionLayer},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, format::FmtSpan},
    prelude::*,
};

async fn home(session: Session) -> Result<String, SessionError> {
    let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
    Ok(format!("view {views}\n"))
}

async fn login(session: Session) -> Result<Redirect, SessionError> {
    session.regenerate_keeping_data().await?;
    session.insert("user", "ann")?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, SessionError> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // One line for each operation, when it is over. For events alone, let the level be INFO.
    let log = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_filter(Targets::new().with_target("cloakroom", LevelFilter::DEBUG));
    tracing_subscriber::registry().with(log).init();

    let metrics = PrometheusBuilder::new().set_buckets(&DURATION_BUCKETS)?.install_recorder()?;
    describe_metrics();

    let sessions = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions, Secrets::new(["keyboard cat"])?))
        .route("/metrics", get(move || ready(metrics.render()))); // Above the layer: it has no session.
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
