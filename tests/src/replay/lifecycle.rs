//! Kind `lifecycle`: requests through express-session, and the same requests through the layer's express preset.
//!
//! Each request goes through a real HTTP server, or through a service of actix-web. Its store records the calls, and
//! fails where the store of the recording failed.

mod actix;
mod app;
mod expected;
mod recorder;
mod server;

use super::{Kind, Outcome, Report, report::Checks};
use crate::json::Json;

use self::{actix::ActixWeb, server::Server};

pub(super) const KIND: Kind = Kind {
    name: "lifecycle",
    about: "requests through express-session: store calls, status, Set-Cookie",
    replay,
};

fn replay(file: &Json, report: &mut Report) {
    let mut bench = match Bench::start(file) {
        Ok(bench) => bench,
        Err(error) => return report.add("server", Outcome::failed("start", "a server", error)),
    };
    for (place, case) in file.get("cases").map_or(&[][..], Json::items).iter().enumerate() {
        let word = |name| case.get(name).and_then(Json::text).unwrap_or_default();
        let id = format!("[{place}] {} {}", word("state"), word("action"));
        report.add(id, bench.check(case));
    }
}

/// A server, and the facts that apply to all cases of a file.
#[derive(Debug)]
pub struct Bench {
    framework: Framework,
    file: FileFacts,
}

#[derive(Debug)]
enum Framework {
    Axum(Server),
    ActixWeb(ActixWeb),
}

/// The facts in the head of the file.
#[derive(Clone, Debug)]
struct FileFacts {
    now_ms: i64,
    secret: String,
    sid: String,
}

/// The outcome of a request.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    events: Vec<Json>,
    /// The id and the session that the handler got.
    seen: Option<Json>,
    /// The texts of the errors that the layer reported.
    errors: Vec<String>,
    status: u16,
    set_cookie: Vec<String>,
    body: String,
}

impl Bench {
    /// Starts the server for the cases of this file.
    ///
    /// # Errors
    ///
    /// If the file's head lacks something, or the server cannot be started.
    pub fn start(file: &Json) -> Result<Self, String> {
        let server = Server::start().map_err(|error| error.to_string())?;
        Self::with(file, Framework::Axum(server))
    }

    /// Sends the requests through the middleware for actix-web. Its requests cannot have the session of a middleware
    /// that is not ours, so [`observe`](Self::observe) returns `None` for the cases whose state is `session_exists`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_actix_web(file: &Json) -> Result<Self, String> {
        let server = ActixWeb::start().map_err(|error| error.to_string())?;
        Self::with(file, Framework::ActixWeb(server))
    }

    fn with(file: &Json, framework: Framework) -> Result<Self, String> {
        let facts = || {
            let meta = file.get("meta")?;
            Some(FileFacts {
                now_ms: meta.get("clock")?.number()? as i64,
                secret: meta.get("secret")?.text()?,
                sid: meta.get("sid")?.text()?,
            })
        };
        let file = facts().ok_or("the file's meta lacks clock, secret or sid")?;
        Ok(Self { framework, file })
    }

    /// Sends a case's request and compares its outcome.
    #[must_use]
    pub fn check(&mut self, case: &Json) -> Outcome {
        match self.observe(case) {
            Some(observed) => compare(case, &observed),
            None => Outcome::failed("form of the case", "the members of a case", case.stringify()),
        }
    }

    /// Sends a case's request. Returns `None` if the case is malformed, or the server does not answer.
    pub fn observe(&mut self, case: &Json) -> Option<Observed> {
        let app = app::App::of(case, &self.file)?;
        let request = case.get("request")?;
        let cookie = request.get("cookie")?.text();
        let path = request.get("path")?.text()?;
        match &mut self.framework {
            Framework::Axum(server) => server.serve(app, &path, cookie.as_deref()),
            Framework::ActixWeb(server) => server.serve(&app, &path, cookie.as_deref()),
        }
    }
}

/// Compares the outcome of a request with the case.
#[must_use]
pub fn compare(case: &Json, observed: &Observed) -> Outcome {
    let mut checks = Checks::default();
    let came = expected::as_express(observed);
    for (what, name) in [
        ("events", "events"),
        ("calls", "calls"),
        ("status", "status"),
        ("setCookie", "setCookie"),
        ("body", "body"),
        ("nextErrors", "nextErrors"),
        ("seen", "seen"),
    ] {
        checks.equal(what, case.get(name), came.get(name));
    }
    checks.outcome()
}
