#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
mod axum;
mod clock;
mod cookie;
mod cookie_header;
mod date;
#[cfg(feature = "encryption")]
mod encryption;
mod error;
mod id;
mod js;
mod marker;
mod memory;
mod name;
mod percent;
mod quote;
mod revision;
mod scan;
mod session;
mod set_cookie;
mod signature;
mod store;
mod turn;

pub use clock::Clock;
pub use cookie::{Cookie, CookieMember, JsValue, SameSite};
pub use cookie_header::{CookieParser, find_cookie};
pub use date::{parse_date, to_iso_string, to_utc_string};
#[cfg(feature = "encryption")]
pub use encryption::{
    ConnectMongo3, ConnectMongo3Options, Counterpart, EncodeAs, Encryption, Hashing, KeyRing,
    Kruptein, KrupteinAlgorithm, KrupteinOptions, KrupteinPlaintext, KrupteinVersion, WebCrypto,
    WebCryptoAlgorithm, WebCryptoOptions,
};
pub use error::{Error, ErrorKind};
pub use id::{generate_id, id_from_bytes};
pub use marker::{MARKER_PREFIX, is_marker, marker_name};
pub use memory::{MemoryOptions, MemoryStore};
pub use percent::{decode_uri_component, encode_uri_component};
pub use revision::Revision;
pub use session::{Member, Session, TimeToLive};
pub use set_cookie::{clear_cookie, set_cookie};
pub use signature::{Secrets, Unsigned};
pub use store::{Atomic, Created, Enumerate, Store, Touched, Updated};
pub use turn::Turn;
