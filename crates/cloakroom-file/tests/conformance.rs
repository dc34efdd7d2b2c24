//! Every promise of the contract, on real files.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::Duration;

use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::Clock;
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_backends::RawFiles;

/// Whether a promise is kept does not depend on how fast the machine is.
fn options() -> FileOptions {
    FileOptions::default().with_deadline(Duration::from_secs(60))
}

/// Two handles as two processes have them, and a neighbour in another folder.
fn subject(options: &FileOptions) -> (StoreUnderTest, RawFiles) {
    let folder = tempfile::tempdir().unwrap();
    let open =
        |name: &str| FileStore::in_folder(folder.path().join(name), options.clone()).unwrap();
    let raw = RawFiles::new(folder.path().join("sessions"));
    let subject = StoreUnderTest::new(open("sessions"))
        .with_second_handle(open("sessions"))
        .with_neighbour(open("others"))
        .add_guard(folder);
    (subject, raw)
}

mod durable {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let (subject, raw) = super::subject(&options());
        subject.with_raw(raw)
    }

    suite!(subject, not_offered = [find_by, faults]);
}

mod with_a_clock {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let clock = Clock::fixed(1_750_000_000_000);
        let (subject, raw) =
            super::subject(&options().with_durable(false).with_clock(clock.clone()));
        subject.with_raw(raw.with_clock(clock.clone())).with_clock(clock)
    }

    suite!(subject, not_offered = [find_by, faults]);
}

#[cfg(feature = "encryption")]
mod encrypted {
    use std::sync::Arc;

    use cloakroom_encryption::{Counterpart, EncodeAs, Encryption, Kruptein, KrupteinOptions};

    use super::*;

    async fn subject() -> StoreUnderTest {
        let mut of_npm = KrupteinOptions::of(Counterpart::ConnectMongo4 { stringify: true });
        of_npm.use_scrypt = true;
        of_npm.encode_as = EncodeAs::Binary;
        let kruptein = Arc::new(Kruptein::new("S3cre+_Squ1rr3l", of_npm).unwrap());
        let mut options = options();
        options.encryption = Some(Arc::clone(&kruptein) as Arc<dyn Encryption>);
        let (subject, raw) = super::subject(&options);
        let encrypts = Arc::clone(&kruptein);
        subject.with_raw(raw.with_encryption(
            move |text| Ok(encrypts.encrypt(text)?),
            move |text| Ok(kruptein.decrypt(text)?),
        ))
    }

    suite!(subject, not_offered = [find_by, faults]);
}
