//! Does harm at random, and ends it again.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::{
    clock::now_us,
    history::{Loss, Lost},
    target::{Failure, Fault, Target},
};

/// The time at the end of a run in which nothing goes wrong, but not more than a third of it.
const CALM_US: u64 = 4_000_000;

/// A fault that happened.
#[derive(Clone, Debug)]
pub(crate) struct Harm {
    pub(crate) fault: Fault,
    /// When it began, in microseconds.
    pub(crate) start_us: u64,
    /// Another machine took over, and nobody repaired anything.
    pub(crate) is_failover: bool,
    /// When it was over, in microseconds.
    pub(crate) over_us: u64,
    /// The Rust processes that ran then.
    pub(crate) clients: Vec<String>,
}

/// The clients, which the nemesis harms too.
pub(crate) trait Clients {
    /// The names of the Rust processes that run.
    fn names(&self) -> Vec<String>;
    fn kill_one(&mut self, random: &mut Rng) -> Result<(), Failure>;
    fn freeze_one(&mut self, random: &mut Rng, pause: Duration) -> Result<(), Failure>;
}

/// Does harm until shortly before the run ends. Each kind of fault comes equally often: they are dealt like cards.
pub(crate) fn harm(
    target: &mut dyn Target,
    clients: &mut dyn Clients,
    random: &mut Rng,
    end_us: u64,
) -> Result<(Vec<Harm>, Vec<Loss>), Failure> {
    let (mut harms, mut losses, mut deck) = (Vec::new(), Vec::new(), Vec::new());
    let calm_us = CALM_US.min(end_us.saturating_sub(now_us()) / 3);
    loop {
        thread::sleep(Duration::from_millis(random.u64(300..1_800)));
        if now_us() + calm_us >= end_us {
            return Ok((harms, losses));
        }
        if deck.is_empty() {
            deck = target.faults();
            random.shuffle(&mut deck);
        }
        let Some(fault) = deck.pop() else { continue };
        // Longer than the deadline of a call at times.
        let pause = Duration::from_millis(random.u64(50..1_200) << random.u32(..3));
        let start_us = now_us();
        match fault {
            Fault::KillClient => clients.kill_one(random)?,
            Fault::FreezeClient => clients.freeze_one(random, pause)?,
            fault => {
                target.begin(fault, random)?;
                let (lost, begun_us) = (target.loses(fault), now_us());
                thread::sleep(pause);
                target.end(fault)?;
                // A replica is known to have taken over only when all is over.
                let end_us = if lost == Lost::Recent { now_us() } else { begun_us };
                if lost != Lost::Nothing {
                    losses.push(Loss { sid: None, start_us, end_us, lost });
                }
            }
        }
        let is_failover = fault == Fault::FailOver || target.loses(fault) == Lost::Recent;
        harms.push(Harm {
            fault,
            start_us,
            is_failover,
            over_us: now_us(),
            clients: clients.names(),
        });
    }
}
