//! `serve`: an axum app with the layer's safe preset, in a process of its own. `tests/express` runs it beside Express
//! apps of the same routes, `tests/node/safe/writer.mjs`.
//!
//! It prints `{"port":3000}` when it listens on that port of 127.0.0.1, and ends when its standard input does.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use cloakroom_core::{Error, Secrets};
use cloakroom_tests::open::open;
use cloakroom_tower::{Session, SessionError, SessionOptions};
use tokio::{net::TcpListener, sync::watch};

const USAGE: &str = "usage: serve URL";

/// Requests that wait with their sessions loaded.
#[derive(Clone)]
struct Waiting {
    number: Arc<AtomicUsize>,
    releases: watch::Sender<u64>,
}

async fn add(session: Session, Path(name): Path<String>) -> Result<(), SessionError> {
    Ok(session.insert(&name, 1)?)
}

async fn hold(
    State(waiting): State<Waiting>,
    session: Session,
    Path(name): Path<String>,
) -> Result<(), SessionError> {
    let mut released = waiting.releases.subscribe();
    waiting.number.fetch_add(1, SeqCst);
    // The sender is in the state, so it lives as long as the request.
    let _ = released.changed().await;
    waiting.number.fetch_sub(1, SeqCst);
    Ok(session.insert(&name, 1)?)
}

async fn logout(session: Session) -> Result<(), SessionError> {
    Ok(session.destroy().await?)
}

fn app(url: &str) -> Result<Router, Error> {
    let mut options = SessionOptions::new();
    // No machine is too slow for it.
    options.failure.deadline = Some(Duration::from_secs(600));
    let layer = options.layer(open(url)?, Secrets::new(["keyboard cat"])?)?;
    let waiting = Waiting { number: Arc::default(), releases: watch::Sender::new(0) };
    Ok(Router::new()
        .route("/add/{name}", get(add))
        .route("/hold/{name}", get(hold))
        .route("/logout", get(logout))
        .layer(layer)
        .route(
            "/held",
            get(async |State(waiting): State<Waiting>| waiting.number.load(SeqCst).to_string()),
        )
        .route(
            "/release",
            get(async |State(waiting): State<Waiting>| {
                waiting.releases.send_modify(|releases| *releases += 1);
            }),
        )
        .with_state(waiting))
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::args().nth(1).ok_or(USAGE)?;
    let app = app(&url)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), r#"{{"port":{}}}"#, listener.local_addr()?.port())?;
    let ends = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = ends => {}
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where this fails.
            let _ = writeln!(io::stderr(), "serve: {error}");
            ExitCode::FAILURE
        }
    }
}
