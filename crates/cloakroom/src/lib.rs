#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod open;

pub use cloakroom_compat::{
    Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, Callbackified, Connection,
    ExpressSession, ExpressSessionOptions, Promisified, callbackify_store, promisify,
    promisify_store,
};
#[cfg(feature = "conformance")]
pub use cloakroom_conformance as conformance;
pub use cloakroom_core::{
    Atomic, Clock, Cookie, CookieMember, CookieParser, Created, Enumerate, Error, ErrorKind,
    JsValue, Member, MemoryOptions, MemoryStore, NewMember, Revision, SameSite, Secrets,
    SessionData, Store, TimeToLive, Touched, Updated, Verified, clear_cookie, decode_uri_component,
    find_cookie, generate_id, parse_date, set_cookie, to_iso_string, to_utc_string,
};
#[cfg(feature = "encryption")]
pub use cloakroom_encryption as encryption;
#[cfg(feature = "tower")]
pub use cloakroom_tower as tower;
pub use open::*;
