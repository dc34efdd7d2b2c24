//! Express processes on the old store of a migration, made safe by the npm package in `compat/express`: plain Express
//! overwrites what others write, with or without a migration.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cloakroom::Secrets;
use cloakroom_test_support::{NodeProgram, Wait};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::known::{Known, Witness};

/// How many writes of Express are acknowledged before the test goes on.
const WRITES: usize = 100;

/// Two processes, one of Express 4 and one of Express 5, and a visitor of each.
pub(super) struct Express {
    /// A program is read by one thread only.
    _programs: Mutex<Vec<NodeProgram>>,
    origins: Vec<String>,
    is_over: Arc<AtomicBool>,
    visitors: Mutex<Vec<JoinHandle<()>>>,
}

impl Express {
    pub(super) fn start(store: &str, url: &str) -> Self {
        let programs = ["express", "express-4"].map(|express| {
            let arguments = ["--store", store, "--url", url, "--express", express, "--safe"];
            NodeProgram::start("safe/writer.mjs", &arguments, &[]).unwrap()
        });
        let origins = programs.iter().map(|program| {
            let ready: Value = program.ready().parse().unwrap();
            format!("http://127.0.0.1:{}", ready["port"])
        });
        Self {
            origins: origins.collect(),
            _programs: Mutex::new(programs.into()),
            is_over: Arc::default(),
            visitors: Mutex::default(),
        }
    }

    /// Lets visitors write and log out until [`writes_and_leaves`](Self::writes_and_leaves).
    pub(super) fn begin(&self, known: &Arc<Known>) {
        for (number, origin) in self.origins.iter().enumerate() {
            let visitor = Visitor {
                origin: origin.clone(),
                known: Arc::clone(known),
                is_over: Arc::clone(&self.is_over),
            };
            let visits = tokio::task::spawn_blocking(move || visitor.visits(number));
            self.visitors.lock().unwrap().push(visits);
        }
    }

    pub(super) async fn wait_for_writes(&self, known: &Known) {
        let written = || known.added.lock().unwrap().len();
        let until = written() + WRITES;
        let wait = Wait::until("Express writes more");
        while written() < until && !known.has_complaints() {
            wait.check();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits for more writes, and ends the processes.
    pub(super) async fn writes_and_leaves(self, known: &Known) {
        self.wait_for_writes(known).await;
        self.is_over.store(true, SeqCst);
        let visitors = std::mem::take(&mut *self.visitors.lock().unwrap());
        for visitor in visitors {
            visitor.await.unwrap();
        }
    }
}

struct Visitor {
    origin: String,
    known: Arc<Known>,
    is_over: Arc<AtomicBool>,
}

impl Visitor {
    fn visits(&self, visitor: usize) {
        /// Names are not used again by processes that come later.
        static NAMES: AtomicUsize = AtomicUsize::new(0);
        let http: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(600)))
            .build()
            .into();
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let _witness = Witness(&self.known);
        let mut number = visitor * 104_729;
        while !self.is_over.load(SeqCst) {
            number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
            let Some(sid) = self.known.pick(number >> 8) else { continue };
            let is_logout = number >> 16 & 63 == 0;
            let name = format!("e{}", NAMES.fetch_add(1, SeqCst));
            if is_logout {
                self.known.live.lock().unwrap().remove(&sid);
            }
            let path = if is_logout { "logout".to_owned() } else { format!("add/{name}") };
            let answer = http
                .get(format!("{}/{path}", self.origin))
                .header("cookie", format!("connect.sid={}", secrets.cookie_value(&sid)))
                .call()
                .unwrap();
            let is_live = || self.known.live.lock().unwrap().contains_key(&sid);
            match (answer.status().as_u16(), is_logout) {
                (200, true) => self.known.logged_out.lock().unwrap().push(sid),
                // Express gives the cookie of a new session to a visitor whom it does not know.
                (200, false) if answer.headers().contains_key("set-cookie") => {
                    if is_live() {
                        self.known.complain("Express has logged a visitor out");
                    }
                }
                (200, false) => self.known.added.lock().unwrap().push((sid, name)),
                (status, _) => self.known.complain(format!("Express answers {status}")),
            }
        }
    }
}
