#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod open;

#[cfg(feature = "actix")]
pub use cloakroom_actix as actix;
#[cfg(feature = "authjs")]
pub use cloakroom_authjs as authjs;
#[cfg(feature = "cache")]
pub use cloakroom_cache as cache;
pub use cloakroom_compat::{
    Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, Callbackified, CopyOptions,
    CopyProgress, ExpressSession, ExpressSessionOptions, Migrating, Promisified, callbackify_store,
    copy, is_moving, promisify, promisify_store, verify_copy,
};
#[cfg(feature = "conformance")]
pub use cloakroom_conformance as conformance;
pub use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, FindBy, Listed, Member, MemoryOptions,
    MemoryStore, NewMember, Revision, Secrets, SessionData, Store, TimeToLive, Touched, Updated,
    generate_id, is_marker,
};
#[cfg(feature = "encryption")]
pub use cloakroom_encryption as encryption;
#[cfg(feature = "express")]
pub use cloakroom_express as express;
#[cfg(feature = "tower")]
pub use cloakroom_tower as tower;
pub use open::*;

/// The cookie of a session, and the headers that carry it.
pub mod cookie {
    pub use cloakroom_core::{
        Cookie, CookieMember, CookieParser, JsValue, SameSite, Verified, clear_cookie,
        decode_uri_component, find_cookie, set_cookie,
    };
}

/// What an operator sees: the spans and events of the feature `tracing`, and the metrics of the feature `metrics`.
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub mod observe {
    pub use cloakroom_backend::observe::observed;
    #[cfg(feature = "tracing")]
    pub use cloakroom_backend::observe::set_hash_key;
    #[cfg(feature = "metrics")]
    pub use cloakroom_backend::observe::{DURATION_BUCKETS, METRICS, Metric, describe_metrics};
}

/// Dates as JavaScript reads and writes them.
pub mod date {
    pub use cloakroom_core::{LAST_DATE_MS, parse_date, to_iso_string, to_utc_string};
}
