//! Which sessions the processes of a run use, and when.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// What all processes of a run are told. They agree on ids without talking to each other, because an id follows from the
/// time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The beginning of all ids.
    pub run: String,
    /// The seed of all random numbers.
    pub seed: u64,
    /// When the processes stop, in microseconds.
    pub end_us: u64,
    /// How many sessions are hot at once. Node.js, which writes over what it has not seen, uses every second one of them.
    pub hot: usize,
    /// How long a session is hot, in microseconds.
    pub period_us: u64,
    /// How many sessions are cold at once.
    pub cold: usize,
    /// The time between two calls of a task is below twice this, in microseconds.
    pub pause_us: u64,
    /// The deadline of a call through a handle, in milliseconds.
    pub deadline_ms: u64,
}

impl Plan {
    /// The id of a session to use now.
    #[must_use]
    pub fn sid(&self, random: &mut Rng, now_us: u64) -> Pick {
        let is_hot = random.u8(..) < 200;
        let (letter, count, period_us) = match is_hot {
            true => ('h', self.hot, self.period_us),
            // Cold ones live long enough to outlive a fault.
            false => ('c', self.cold, self.period_us * 8),
        };
        let slot = random.usize(..count.max(1));
        let period = now_us / period_us.max(1);
        let is_shared = slot % 2 == 1;
        let letter = if is_shared { letter.to_ascii_uppercase() } else { letter };
        Pick { sid: format!("{}-{letter}{slot}-{period}", self.run), is_shared }
    }
}

/// A session to use.
#[derive(Clone, Debug)]
pub struct Pick {
    /// Its id.
    pub sid: String,
    /// Blind writers use it too: Node.js, and `set`.
    pub is_shared: bool,
}
