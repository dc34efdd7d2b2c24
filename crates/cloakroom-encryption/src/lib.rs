#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cbc;
mod connect_mongo_3;
mod der;
mod encode_as;
mod encryption;
mod error;
#[doc(hidden)]
pub mod for_tests;
mod gcm;
mod hashing;
mod key;
mod key_ring;
mod kruptein;
mod random;
mod text;
mod webcrypto;

pub use connect_mongo_3::{ConnectMongo3, ConnectMongo3Options};
pub use encode_as::EncodeAs;
pub use encryption::Encryption;
pub use hashing::Hashing;
pub use key_ring::KeyRing;
pub use kruptein::{
    Counterpart, Kruptein, KrupteinAlgorithm, KrupteinOptions, KrupteinPlaintext, KrupteinVersion,
};
pub use webcrypto::{WebCrypto, WebCryptoAlgorithm, WebCryptoOptions};
