#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
mod axum;
mod clock;
mod cookie;
mod cookie_header;
mod date;
mod error;
#[doc(hidden)]
pub mod for_tests;
mod id;
mod js;
pub mod json;
mod listed;
mod marker;
mod memory;
mod percent;
mod quote;
mod revision;
mod session;
mod set_cookie;
mod signature;
mod store;
mod turn;

pub use clock::Clock;
pub use cookie::{Cookie, CookieMember, JsValue, SameSite};
pub use cookie_header::{CookieParser, find_cookie};
pub use date::{LAST_DATE_MS, parse_date, to_iso_string, to_utc_string};
pub use error::{Error, ErrorKind};
pub use id::{RandomId, generate_id};
pub use marker::{MARKER_PREFIX, is_marker, marker_name};
pub use memory::{MemoryOptions, MemoryStore};
pub use percent::{decode_uri_component, encode_uri_component};
pub use revision::Revision;
pub use session::{Member, NewMember, SessionData, TimeToLive};
pub use set_cookie::{clear_cookie, set_cookie};
pub use signature::{Secrets, Verified};
pub use store::{Atomic, Created, Enumerate, FindBy, Listed, Store, Touched, Updated};
pub use turn::Turn;
