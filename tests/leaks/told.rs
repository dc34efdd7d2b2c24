//! Everything that the libraries have told, and what they must not have told.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use cloakroom::Error;
use tracing_subscriber::fmt::MakeWriter;

/// The log of the whole process, from every thread.
static LOG: LazyLock<Told> = LazyLock::new(|| {
    let log = Told::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone());
    subscriber.init();
    log
});

/// A record of texts, which its clones share.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Texts>>);

#[derive(Default)]
struct Texts {
    told: Vec<u8>,
    hushed: Vec<String>,
}

impl Told {
    /// Starts a record, and the log of the process.
    pub(crate) fn start() -> Self {
        LazyLock::force(&LOG);
        Self::default()
    }

    /// Returns the log of the process, to which every subscriber's writer leads.
    pub(crate) fn log() -> Self {
        LOG.clone()
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a text that nobody may tell.
    pub(crate) fn hush(&self, text: String) -> String {
        self.texts().hushed.push(text.clone());
        text
    }

    pub(crate) fn text(&self, text: &str) {
        self.texts().told.extend_from_slice(format!("{text}\n").as_bytes());
    }

    pub(crate) fn debug(&self, value: &impl fmt::Debug) {
        self.text(&format!("{value:?}\n{value:#?}"));
    }

    /// Notes an error with all of its causes.
    pub(crate) fn error(&self, error: &Error) {
        self.text(&format!("{error}\n{error:?}\n{error:#?}"));
        let mut cause = error.source();
        while let Some(error) = cause {
            self.text(&format!("{error}\n{error:?}"));
            cause = error.source();
        }
    }

    /// Notes the error, or returns the value.
    pub(crate) fn outcome<T>(&self, outcome: Result<T, Error>) -> Option<T> {
        outcome.map_err(|error| self.error(&error)).ok()
    }

    /// Returns what was told although it must not be, here or in the log.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let texts = self.texts();
        let log = LOG.texts();
        let (told, logged) =
            (String::from_utf8_lossy(&texts.told), String::from_utf8_lossy(&log.told));
        let hushed = texts.hushed.iter();
        hushed.filter(|text| told.contains(*text) || logged.contains(*text)).cloned().collect()
    }

    /// Prints everything, and fails if anything of it must not be told.
    pub(crate) fn check(&self) {
        let leaks = self.leaks();
        let texts = self.texts();
        let told = String::from_utf8_lossy(&texts.told);
        assert!(told.len() > 1_000, "hardly anything was told");
        println!("{told}");
        println!("{}", String::from_utf8_lossy(&LOG.texts().told));
        let around: Vec<_> =
            told.lines().filter(|line| leaks.iter().any(|leak| line.contains(leak))).collect();
        assert!(leaks.is_empty(), "{leaks:?} in {around:#?}");
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.texts().told.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Told {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
