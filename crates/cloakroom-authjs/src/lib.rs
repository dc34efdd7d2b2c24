#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Sealed and signed cookies.
pub mod better_auth;
pub mod cookie_session;
pub mod iron_session;
pub mod keygrip;
pub mod koa_session;
pub mod sealed;
// NextAuth and Auth.js.
mod adapter;
mod authjs;
mod claims;
#[doc(hidden)]
pub mod for_tests;
mod guard;
mod jwe;
mod layer;
mod matcher;
#[cfg(feature = "mongodb")]
mod mongo_adapter;
mod options;
mod refusal;
mod session;
mod session_cookie;
mod token;
#[cfg(feature = "redis")]
mod upstash_adapter;
mod version;

// NextAuth and Auth.js.
pub use adapter::{AuthAdapter, SessionAndUser};
pub use authjs::AuthJs;
pub use claims::Claims;
pub use guard::{RequireAuth, RequireAuthService};
pub use layer::{AuthLayer, AuthService};
#[cfg(feature = "mongodb")]
pub use mongo_adapter::MongoAdapter;
pub use options::AuthJsOptions;
pub use refusal::{Refusal, TokenRefusal};
pub use session::{AuthSession, ServerSession};
pub use token::TokenCodec;
#[cfg(feature = "redis")]
pub use upstash_adapter::UpstashAdapter;
pub use version::AuthJsVersion;
