//! Derives keys, and remembers those that have verified a record.
//!
//! A derivation takes about 10 ms, a thousand times as long as the encryption itself. A session is read many times
//! between two writes, so remembering the key of its salt makes nearly all reads cheap.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use super::options::KrupteinVersion;
use crate::{Hashing, key::Key};

/// The number of remembered keys, of about 300 bytes each. The oldest is forgotten first.
const REMEMBERED: usize = 1_024;

/// The length in bytes of a salt that is written, as in kruptein. Any length is read.
pub(super) const SALT: usize = 128;

/// The function that derives a key from the secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kdf {
    Pbkdf2 { rounds: u32, hashing: Hashing },
    Scrypt,
}

impl Kdf {
    pub(super) fn of(version: KrupteinVersion, hashing: Hashing, use_scrypt: bool) -> Self {
        // kruptein raised the rounds in a patch release, 3.1.3, which is why 3.1.1 cannot read later records.
        let rounds = match version {
            KrupteinVersion::V2 | KrupteinVersion::V3_0 | KrupteinVersion::V3_1_1 => 15_000,
            KrupteinVersion::V3_1_3 | KrupteinVersion::V3_4 => 20_000,
        };
        if use_scrypt { Self::Scrypt } else { Self::Pbkdf2 { rounds, hashing } }
    }
}

/// The secret and the keys derived from it. `Debug` shows neither.
pub(super) struct Keys {
    secret: Zeroizing<Vec<u8>>,
    remembered: Mutex<Remembered>,
}

type Origin = (Kdf, Vec<u8>);

/// The keys, and the order in which they were added.
#[derive(Default)]
struct Remembered {
    keys: HashMap<Origin, Arc<Key>>,
    oldest_first: VecDeque<Origin>,
    /// The salt for the next records, and the number of records that it still serves.
    writing: Option<(Origin, u32)>,
}

/// A salt and its key.
pub(super) struct Salted {
    pub(super) salt: Vec<u8>,
    pub(super) key: Arc<Key>,
}

impl Keys {
    pub(super) fn new(secret: &str) -> Self {
        Self { secret: Zeroizing::new(secret.into()), remembered: Mutex::default() }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the key, or `None` if it is not remembered.
    pub(super) fn known(&self, kdf: Kdf, salt: &[u8]) -> Option<Arc<Key>> {
        self.remembered().keys.get(&(kdf, salt.to_vec())).cloned()
    }

    /// Derives the key, which takes milliseconds.
    pub(super) fn derive(&self, kdf: Kdf, salt: &[u8]) -> Arc<Key> {
        let mut key = Key::default();
        match kdf {
            Kdf::Pbkdf2 { rounds, hashing } => {
                hashing.derive(&self.secret, salt, rounds, &mut *key);
            }
            Kdf::Scrypt => {
                // The defaults of Node's scryptSync: N = 2^14, r = 8, p = 1.
                let parameters =
                    scrypt::Params::new(14, 8, 1).expect("Node's parameters are valid");
                scrypt::scrypt(&self.secret, salt, &parameters, &mut *key)
                    .expect("scrypt gives 32 bytes");
            }
        }
        Arc::new(key)
    }

    /// Remembers a key. The caller has verified a record with it, so that foreign records cannot fill the memory.
    pub(super) fn remember(&self, kdf: Kdf, salt: &[u8], key: &Arc<Key>) {
        self.remembered().add((kdf, salt.to_vec()), key);
    }

    /// Returns the salt and the key for the next record. One salt serves `records` records; `fresh` is the salt after
    /// it.
    pub(super) fn for_writing(&self, kdf: Kdf, records: u32, fresh: [u8; SALT]) -> Salted {
        if records > 1
            && let Some(salted) = self.remembered().next()
        {
            return salted;
        }
        let salt = fresh.to_vec();
        // Derived without the lock, so that other threads can write and read at the same time. Two that begin at the
        // same time derive a key each, with their own salts, and the later one serves the next records.
        let key = self.derive(kdf, &salt);
        let mut remembered = self.remembered();
        let origin = (kdf, salt.clone());
        remembered.add(origin.clone(), &key);
        if records > 1 {
            remembered.writing = Some((origin, records - 1));
        }
        Salted { salt, key }
    }
}

impl Remembered {
    fn add(&mut self, origin: Origin, key: &Arc<Key>) {
        if self.keys.insert(origin.clone(), Arc::clone(key)).is_none() {
            self.oldest_first.push_back(origin);
        }
        if self.keys.len() > REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    fn next(&mut self) -> Option<Salted> {
        let (origin, records) = self.writing.as_mut()?;
        let key = self.keys.get(origin)?;
        *records = records.checked_sub(1)?;
        Some(Salted { salt: origin.1.clone(), key: Arc::clone(key) })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
