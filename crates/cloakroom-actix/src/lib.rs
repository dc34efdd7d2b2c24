#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod error;
mod guard;
mod head;
mod middleware;
mod request;
mod session;

pub use error::SessionError;
pub use guard::{RequireSessionMiddleware, RequireSessionService};
pub use middleware::{SessionMiddleware, SessionMiddlewareService};
pub use request::SessionRequest;
pub use session::{Session, SessionNotLoaded, SessionRejection};
