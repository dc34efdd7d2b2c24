//! The contract of cloakroom.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod cookie;
mod date;
mod error;
mod js;
mod memory;
mod revision;
mod scan;
mod session;
mod store;

pub use clock::Clock;
pub use cookie::{Cookie, CookieMember, JsValue, SameSite};
pub use date::{parse_date, to_iso_string, to_utc_string};
pub use error::{Error, ErrorKind};
pub use memory::{MemoryOptions, MemoryStore};
pub use revision::Revision;
pub use session::{Member, Session, TimeToLive};
pub use store::{Atomic, Created, Enumerate, Store, Touched, Updated};
