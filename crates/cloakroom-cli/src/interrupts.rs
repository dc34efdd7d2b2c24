//! Ctrl-C.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

use crate::failure::Failure;

/// Hears each Ctrl-C since it was made, also one that comes while nobody waits for it. The future of
/// `tokio::signal::ctrl_c` begins to listen only when it is polled.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    heard: Signal,
    #[cfg(windows)]
    heard: CtrlC,
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        #[cfg(unix)]
        let heard = signal(SignalKind::interrupt());
        #[cfg(windows)]
        let heard = ctrl_c();
        let cannot = |cause: io::Error| Failure::usage(format!("cannot listen to Ctrl-C: {cause}"));
        Ok(Self { heard: heard.map_err(cannot)? })
    }

    /// Returns after the next one. Several that came before are one.
    pub(crate) async fn next(&mut self) {
        self.heard.recv().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{process::Command, time::Duration};

    use futures::FutureExt;

    use super::*;

    fn interrupt_this_process() {
        let id = std::process::id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_comes_before_anybody_waits_is_heard() {
        let mut interrupts = Interrupts::listen().unwrap();
        for _ in 0..2 {
            let mut witness = signal(SignalKind::interrupt()).unwrap();
            interrupt_this_process();
            witness.recv().await;
            tokio::time::timeout(Duration::from_secs(60), interrupts.next()).await.unwrap();
            assert!(interrupts.next().now_or_never().is_none(), "it came once");
        }
    }
}
