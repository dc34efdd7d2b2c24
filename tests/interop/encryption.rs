//! What the npm packages encrypt is read here, and the other way round, in each of their forms.

use cloakroom_encryption::{
    Counterpart, EncodeAs, Encryption, Hashing, Kruptein, KrupteinAlgorithm, KrupteinOptions,
    KrupteinPlaintext, KrupteinVersion, WebCrypto, WebCryptoAlgorithm, WebCryptoOptions,
};
use cloakroom_test_support::NodeProgram;
use serde_json::{Value, json};

const SECRET: &str = "S3cre+_Squ1rr3l";
const SESSION: &str = r#"{"cookie":{"path":"/"},"user":"Zoë 😀","n":1.5,"list":[null,{}]}"#;

/// The encodings by their names in Node.js.
const ENCODINGS: [(&str, EncodeAs); 4] = [
    ("base64", EncodeAs::Base64),
    ("base64url", EncodeAs::Base64Url),
    ("hex", EncodeAs::Hex),
    ("binary", EncodeAs::Binary),
];

struct Npm {
    program: NodeProgram,
    request: Value,
}

impl Npm {
    fn ask(&mut self, operation: &str, text: &str) -> String {
        let mut request = self.request.clone();
        request[operation] = text.into();
        let answer: Value = self.program.call(&request).unwrap();
        let text = answer["text"].as_str();
        text.unwrap_or_else(|| panic!("{answer} to {}", self.request)).to_owned()
    }

    /// Each side reads what both have written.
    fn reads_and_is_read_by(&mut self, ours: &dyn Encryption) {
        let theirs = self.ask("encrypt", SESSION);
        let request = self.request.clone();
        let read = ours.decrypt(&theirs).unwrap_or_else(|error| panic!("{request}: {error}"));
        assert_eq!(read, SESSION, "{request}");
        for _ in 0..2 {
            let written = ours.encrypt(SESSION).unwrap();
            assert_eq!(self.ask("decrypt", &written), SESSION, "{request}");
        }
    }
}

fn npm() -> Npm {
    let program = NodeProgram::start("crypto.mjs", &[], &[]).unwrap();
    Npm { program, request: Value::Null }
}

#[test]
#[ignore = "needs the npm packages"]
fn kruptein_3_reads_and_is_read_in_every_encoding() {
    let mut npm = npm();
    for (of, version) in [
        ("connect-mongo", KrupteinVersion::V3_0),
        ("connect-memcached", KrupteinVersion::V3_1_3),
        ("connect-mongo-5", KrupteinVersion::V3_4),
    ] {
        for (name, encode_as) in ENCODINGS {
            for (cipher, algorithm) in [
                ("aes-256-gcm", KrupteinAlgorithm::Aes256Gcm),
                ("aes-256-cbc", KrupteinAlgorithm::InsecureAes256Cbc),
            ] {
                // 3.0 writes DER whatever it is told. 3.1.7 does not read its own JSON of binary text.
                let is_json_read = version == KrupteinVersion::V3_4
                    || version == KrupteinVersion::V3_1_3 && encode_as != EncodeAs::Binary;
                for use_asn1 in [true, !is_json_read] {
                    let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
                    options.version = version;
                    options.plaintext = KrupteinPlaintext::Object;
                    options.hashing = Hashing::Sha384;
                    (options.encode_as, options.algorithm) = (encode_as, algorithm);
                    options.use_asn1 = use_asn1;
                    let ours = Kruptein::new(SECRET, options).unwrap();
                    npm.request = json!({
                        "package": "kruptein", "of": of, "secret": SECRET,
                        "options": { "algorithm": cipher, "encodeas": name, "use_asn1": use_asn1 },
                    });
                    npm.reads_and_is_read_by(&ours);
                }
            }
        }
    }
}

#[test]
#[ignore = "needs the npm packages"]
fn kruptein_3_4_reads_and_is_read_with_every_length_of_an_iv() {
    let mut npm = npm();
    for iv_size in [1, 8, 12, 13, 16, 17, 32, 64, 127, 128] {
        for (name, encode_as) in [ENCODINGS[0], ENCODINGS[3]] {
            let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
            options.version = KrupteinVersion::V3_4;
            options.encode_as = encode_as;
            options.iv_size = Some(iv_size);
            let ours = Kruptein::new(SECRET, options).unwrap();
            npm.request = json!({
                "package": "kruptein", "of": "connect-mongo-5", "secret": SECRET,
                "options": { "hashing": "sha512", "encodeas": name, "iv_size": iv_size },
            });
            npm.reads_and_is_read_by(&ours);
        }
    }
}

#[test]
#[ignore = "needs the npm packages"]
fn web_crypto_reads_and_is_read_with_every_length_of_an_iv() {
    let mut npm = npm();
    let lengths = [None, Some(12), Some(13), Some(16), Some(24), Some(32), Some(64), Some(128)];
    let gcm = lengths.map(|length| ("AES-GCM", WebCryptoAlgorithm::AesGcm, length));
    let cbc = ("AES-CBC", WebCryptoAlgorithm::InsecureAesCbc, None);
    for (cipher, algorithm, iv_length) in gcm.into_iter().chain([cbc]) {
        for (name, encoding) in &ENCODINGS[..3] {
            let mut options = WebCryptoOptions::default();
            (options.algorithm, options.encoding) = (algorithm, *encoding);
            (options.iterations, options.iv_length) = (10, iv_length);
            let ours = WebCrypto::new(SECRET, options).unwrap();
            npm.request = json!({
                "package": "webcrypto", "secret": SECRET,
                "options": { "algorithm": cipher, "encoding": name, "iterations": 10 },
            });
            if let Some(length) = iv_length {
                npm.request["options"]["ivLength"] = length.into();
            }
            npm.reads_and_is_read_by(&ours);
        }
    }
}
