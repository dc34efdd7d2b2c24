#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
mod axum;
mod body;
mod check;
mod computed;
mod construct;
mod cookie_options;
mod engine;
mod error;
mod events;
mod express;
mod head;
mod ids;
mod late_life;
mod layer;
mod lazy;
mod next;
mod options;
mod request;
mod require;
mod rules;
mod safe;
mod serve;
mod served;
mod service;
mod session;
mod setup;
mod state;
mod testing;

#[cfg(feature = "axum")]
pub use self::axum::{MissingSession, SessionNotLoaded, SessionRejection};
pub use body::ResponseBody;
pub use cookie_options::{CookieOptions, Priority, SameSitePolicy, Secure};
pub use engine::SessionEngine;
pub use error::SessionError;
pub use events::{EventReason, OnEvent, SessionEvent};
pub use head::{RequestHead, SecureTransport};
pub use ids::{Decode, Encode, IdFormat, session_id};
pub use layer::SessionLayer;
pub use lazy::LazySession;
pub use next::own_path;
pub use options::{
    AskRequest, CookieFor, ErrorResponse, ExpiryOptions, FailureOptions, Genid, IdOptions,
    IsConnected, Loading, OnError, PathMatch, Preset, Proxy, SessionOptions, TouchAfter, Unset,
    WhenUnavailable,
};
pub use require::{RequireSession, RequireSessionService, path_readings};
pub use served::ServedRequest;
pub use service::SessionService;
pub use session::Session;
