//! The formats in which sessions are encrypted.

use std::sync::LazyLock;

use cloakroom_core::ErrorKind;
use cloakroom_encryption::{
    ConnectMongo3, ConnectMongo3Options, Counterpart, EncodeAs, Encryption, Kruptein,
    KrupteinAlgorithm, KrupteinOptions, WebCrypto, WebCryptoOptions,
};

use crate::session;

const SECRET: &str = "HUSHs3cre+_Squ1rr3l";

static KRUPTEIN: LazyLock<Vec<Kruptein>> = LazyLock::new(|| {
    let counterparts = [
        Counterpart::ConnectMemcached2,
        Counterpart::ConnectMemcached3,
        Counterpart::ConnectMongo4 { stringify: true },
        Counterpart::ConnectMongo4 { stringify: false },
        Counterpart::ConnectMongo5 { stringify: true },
        Counterpart::ConnectMongo5Kruptein34 { stringify: true },
        Counterpart::ConnectMongo6,
    ];
    let mut options: Vec<_> = counterparts.map(KrupteinOptions::of).into();
    for (encode_as, algorithm, use_asn1) in [
        (EncodeAs::Hex, KrupteinAlgorithm::Aes256Gcm, false),
        (EncodeAs::Binary, KrupteinAlgorithm::InsecureAes256Cbc, true),
    ] {
        let mut other = KrupteinOptions::of(Counterpart::ConnectMemcached3);
        (other.encode_as, other.algorithm, other.use_asn1) = (encode_as, algorithm, use_asn1);
        options.push(other);
    }
    let made = options.into_iter().map(|mut options| {
        options.records_per_salt = u32::MAX;
        Kruptein::new(SECRET, options).expect("the secret is strong")
    });
    made.collect()
});

static WEB_CRYPTO: LazyLock<Vec<WebCrypto>> = LazyLock::new(|| {
    let encodings = [EncodeAs::Base64, EncodeAs::Base64Url, EncodeAs::Hex];
    let made = encodings.map(|encoding| {
        let mut options = WebCryptoOptions::default();
        (options.encoding, options.iterations) = (encoding, 10);
        WebCrypto::new(SECRET, options).expect("the options are right")
    });
    made.into()
});

static CONNECT_MONGO_3: LazyLock<Vec<ConnectMongo3>> = LazyLock::new(|| {
    let made = [EncodeAs::Hex, EncodeAs::Base64].map(|encode_as| {
        let mut options = ConnectMongo3Options::default();
        options.encode_as = encode_as;
        ConnectMongo3::new(SECRET, options).expect("the options are right")
    });
    made.into()
});

pub(crate) fn kruptein(input: &[u8]) {
    check(&KRUPTEIN, input);
}

pub(crate) fn web_crypto(input: &[u8]) {
    check(&WEB_CRYPTO, input);
}

pub(crate) fn connect_mongo_3(input: &[u8]) {
    check(&CONNECT_MONGO_3, input);
}

/// The first byte chooses the options and what is done with the rest: it is decrypted, or encrypted, changed in one
/// place, and decrypted.
fn check<E: Encryption>(all: &[E], input: &[u8]) {
    let [choice, place, bytes @ ..] = input else { return };
    let encryption = &all[usize::from(choice / 2) % all.len()];
    let text = String::from_utf8_lossy(bytes);
    if choice % 2 == 0 {
        match encryption.decrypt(&text) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                session::check_error(&error, bytes);
            }
        }
        return;
    }
    // Sessions alone are encrypted: kruptein stores some plaintexts as JSON values.
    if cloakroom_core::SessionData::from_json(&*text).is_err() {
        return;
    }
    let stored = encryption.encrypt(&text).expect("the system has random bytes");
    assert!(!stored.contains(SECRET));
    assert_eq!(encryption.decrypt(&stored).expect("it was encrypted here"), text);

    let mut changed: Vec<char> = stored.chars().collect();
    let place = usize::from(*place) * changed.len() / 256;
    changed[place] = if changed[place] == 'A' { 'B' } else { 'A' };
    let changed: String = changed.into_iter().collect();
    match encryption.decrypt(&changed) {
        // Some characters say nothing: those of a name, and the last bits of base64.
        Ok(plaintext) => assert!(plaintext == text || !is_authenticated(encryption), "{changed:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
    }
}

/// Returns true if the format notices every change. CBC before kruptein 3.4 does not protect the start of a plaintext.
fn is_authenticated(encryption: &dyn Encryption) -> bool {
    !format!("{encryption:?}").contains("Cbc")
}
