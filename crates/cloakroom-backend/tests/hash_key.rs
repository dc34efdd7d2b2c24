//! The key of the hash of session ids. It is that of the whole process, so this test is alone in its program.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::{Arc, Mutex};

use cloakroom_backend::observe::{observed, set_hash_key};
use cloakroom_core::{MemoryStore, Store};
use futures::executor::block_on;
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn a_given_key_gives_the_hash_that_openssl_gives() {
    for short in ["", "fifteen bytes!!"] {
        let error = set_hash_key(short).unwrap_err().to_string();
        assert!(error.ends_with("must have at least 16 bytes"), "{error}");
    }
    set_hash_key("0123456789abcdef").unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        block_on(observed(MemoryStore::new()).get("keyboard-cat-id")).unwrap();
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // printf %s keyboard-cat-id | openssl dgst -sha256 -hmac 0123456789abcdef -r | cut -c1-12
    assert!(log.contains("session.hash=\"b1c46c537fa4\""), "{log}");
    assert!(!log.contains("keyboard"), "{log}");
    let error = set_hash_key("0123456789abcdef").unwrap_err().to_string();
    assert!(error.contains("in use already"), "{error}");
}
