//! One connection through the proxy.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A client's connection, and ours to the server on its behalf.
#[derive(Debug)]
pub(super) struct Pair {
    client: TcpStream,
    server: TcpStream,
    silent: AtomicBool,
    loses_answers: AtomicBool,
    /// What comes in place of the next answer.
    junk: Mutex<Option<&'static [u8]>>,
    spared: AtomicBool,
}

/// Part of no answer of any server, and of no text in UTF-8.
pub(super) const JUNK: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff\r\n";

impl Pair {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        let (silent, loses_answers, junk, spared) = Default::default();
        Self { client, server, silent, loses_answers, junk, spared }
    }

    pub(super) fn silence(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    pub(super) fn lose_answers(&self) {
        self.loses_answers.store(true, Ordering::SeqCst);
    }

    pub(super) fn garble(&self, junk: &'static [u8]) {
        *self.junk.lock().unwrap_or_else(PoisonError::into_inner) = Some(junk);
    }

    fn take_junk(&self) -> Option<&'static [u8]> {
        self.junk.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Passes on what the client sends. It is spared from harm if its first bytes contain these.
    pub(super) fn pass_questions(&self, spared: Option<&[u8]>) -> io::Result<()> {
        self.copy(&self.client, &self.server, spared)
    }

    /// Passes on what the server sends.
    pub(super) fn pass_answers(&self) -> io::Result<()> {
        self.copy(&self.server, &self.client, None)
    }

    fn copy(
        &self,
        mut from: &TcpStream,
        mut to: &TcpStream,
        mut spared: Option<&[u8]>,
    ) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        loop {
            let length = from.read(&mut buffer)?;
            if let Some(mark) = spared.take() {
                let is_spared = buffer[..length].windows(mark.len()).any(|bytes| bytes == mark);
                self.spared.store(is_spared, Ordering::SeqCst);
            }
            let is_answer = std::ptr::eq(from, &self.server);
            if length == 0 || (is_answer && self.loses_answer()) {
                return Ok(());
            }
            let is_at_risk = is_answer && !self.is_spared();
            let junk = if is_at_risk { self.take_junk() } else { None };
            let bytes = junk.unwrap_or(&buffer[..length]);
            if !self.is_silent() {
                to.write_all(bytes)?;
            }
        }
    }

    pub(super) fn is_spared(&self) -> bool {
        self.spared.load(Ordering::SeqCst)
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst) && !self.is_spared()
    }

    fn loses_answer(&self) -> bool {
        self.loses_answers.load(Ordering::SeqCst) && !self.is_spared()
    }

    pub(super) fn close(&self) {
        // The other side may have closed it already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}
