//! Both sides, and the code that plays a sequence to them.

use std::time::Duration;

use cloakroom_test_support::RedisServer;
use cloakroom_tower::SessionOptions;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    databases::{Databases, Records, TooSlow},
    ours::Ours,
    sequence::{Before, Script, Sequence, Step},
    theirs::Theirs,
};

/// 2023-11-14T22:13:20Z, when every sequence begins.
const START_MS: i64 = 1_700_000_000_000;

pub(crate) struct Site {
    http: ureq::Agent,
    theirs: Theirs,
    ours: Ours,
    databases: Databases,
    _server: RedisServer,
}

/// A step at which the two sides differ, and the differences.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) step: usize,
    pub(crate) what: String,
}

/// Counts of what a test has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    /// The requests for which a stored session was loaded.
    pub(crate) loaded: usize,
    pub(crate) set_cookies: usize,
    pub(crate) refused: usize,
    /// The requests that express-session never ends.
    pub(crate) unended: usize,
}

/// The state of a site during a sequence.
struct State {
    now_ms: i64,
    options: Value,
    secrets: Vec<String>,
    browser: Browser,
}

struct Answer {
    /// The status, or 0 if express-session never ends the response.
    status: u16,
    set_cookie: Vec<String>,
    body: String,
}

impl Site {
    pub(crate) async fn start(twist: fn(&mut SessionOptions)) -> Self {
        let server = RedisServer::start().unwrap();
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(180)))
            .build();
        Self {
            http: http.into(),
            theirs: Theirs::start(&server.url()),
            ours: Ours::start(&server.url(), twist).await,
            databases: Databases::open(&server.url()),
            _server: server,
        }
    }

    /// Plays a sequence to both sides, and adds to the counts.
    pub(crate) fn play(&mut self, sequence: &Sequence, seen: &mut Seen) -> Result<(), Difference> {
        // If a step takes a second, the sequence is repeated. If that happens every time, something hangs.
        for _ in 0..5 {
            let mut played = Seen::default();
            if let Ok(result) = self.play_once(sequence, &mut played) {
                seen.requests += played.requests;
                seen.loaded += played.loaded;
                seen.set_cookies += played.set_cookies;
                seen.refused += played.refused;
                seen.unended += played.unended;
                return result;
            }
        }
        Err(Difference { step: 0, what: "a request takes longer than a second, five times".into() })
    }

    fn play_once(
        &mut self,
        sequence: &Sequence,
        seen: &mut Seen,
    ) -> Result<Result<(), Difference>, TooSlow> {
        let mut state = State {
            now_ms: START_MS,
            options: sequence.options.clone(),
            secrets: vec!["secret 0".to_owned()],
            browser: Browser::default(),
        };
        self.theirs.restart_ids();
        self.ours.restart_ids();
        self.set_now(&state);
        self.set_options(&mut state);
        self.databases.clear();
        for (number, step) in sequence.steps.iter().enumerate() {
            self.prepare(&step.before, &mut state);
            let theirs = self.request(&self.theirs.origin, step, &state);
            let ours = self.request(&self.ours.origin, step, &state);
            let [their_records, our_records] = self.databases.take(state.now_ms)?;

            let stored = ("stored", shown(&their_records), shown(&our_records));
            let compared = if theirs.status == 0 {
                // Our side ends it, with only the handler's own cookie.
                vec![stored, ("Set-Cookie", "theme=dark".to_owned(), ours.set_cookie.join("\n"))]
            } else {
                vec![
                    ("status", theirs.status.to_string(), ours.status.to_string()),
                    ("Set-Cookie", theirs.set_cookie.join("\n"), ours.set_cookie.join("\n")),
                    stored,
                    ("seen by the handler", theirs.body.clone(), ours.body.clone()),
                ]
            };
            let what: Vec<String> = compared
                .into_iter()
                .filter(|(_, theirs, ours)| theirs != ours)
                .map(|(name, theirs, ours)| {
                    format!("{name}, Express:\n{theirs}\n{name}, ours:\n{ours}")
                })
                .collect();
            if !what.is_empty() {
                return Ok(Err(Difference { step: number, what: what.join("\n") }));
            }

            let name = state.options["name"].as_str().unwrap_or("connect.sid");
            seen.requests += 1;
            seen.unended += usize::from(theirs.status == 0);
            seen.refused += usize::from(theirs.body == "refused");
            seen.set_cookies += usize::from(theirs.set_cookie.len() > 1);
            seen.loaded += usize::from(
                state.browser.id().is_some_and(|id| theirs.body.starts_with(&format!("{id} "))),
            );
            state.browser.take(name, &theirs.set_cookie);
        }
        Ok(Ok(()))
    }

    fn prepare(&mut self, before: &Before, state: &mut State) {
        match before {
            Before::Nothing => {}
            Before::Wait(ms) => {
                state.now_ms += ms;
                self.set_now(state);
                self.databases.expire(state.now_ms);
            }
            Before::Rotate => {
                let last = state.secrets[0].trim_start_matches("secret ");
                let next = last.parse::<u32>().unwrap() + 1;
                state.secrets.insert(0, format!("secret {next}"));
                state.secrets.truncate(2);
                self.set_options(state);
            }
            Before::Options(options) => {
                state.options = options.clone();
                self.set_options(state);
            }
            Before::Overwrite(record) => {
                if let Some(id) = state.browser.id() {
                    self.databases.store(id, record, state.now_ms);
                }
            }
        }
    }

    fn set_now(&mut self, state: &State) {
        self.theirs.set_now(state.now_ms);
        self.ours.set_now(state.now_ms);
    }

    fn set_options(&mut self, state: &mut State) {
        state.options["secret"] = json!(state.secrets);
        self.theirs.set_options(&state.options);
        self.ours.set_options(&state.options);
    }

    fn request(&self, origin: &str, step: &Step, state: &State) -> Answer {
        let name = state.options["name"].as_str().unwrap_or("connect.sid");
        let cookies: Vec<String> = step
            .cookies
            .iter()
            .filter_map(|sent| state.browser.value(sent, &state.secrets))
            .map(|value| format!("{name}={value}"))
            .collect();
        let mut request = self.http.post(format!("{origin}{}", step.path));
        request = request.header("content-type", "application/json");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(proto) = step.proto {
            request = request.header("x-forwarded-proto", proto);
        }
        let script = Script { actions: step.actions.clone(), status: step.status };
        let mut response = match request.send(serde_json::to_string(&script).unwrap()) {
            Ok(response) => response,
            Err(ureq::Error::Io(_)) if origin == self.theirs.origin => {
                return Answer { status: 0, set_cookie: Vec::new(), body: String::new() };
            }
            Err(error) => panic!("{origin}: {error}"),
        };
        let set_cookie = response.headers().get_all("set-cookie").iter();
        Answer {
            status: response.status().as_u16(),
            set_cookie: set_cookie.map(|line| line.to_str().unwrap().to_owned()).collect(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }
}

/// Prints one line per record.
fn shown(records: &Records) -> String {
    let lines = records.iter().map(|(key, (value, ttl))| format!("{key} {value} {ttl:?}"));
    lines.collect::<Vec<_>>().join("\n")
}
