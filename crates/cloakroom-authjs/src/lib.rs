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
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod auth_tables;
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
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql_adapter;
mod token;
#[cfg(feature = "redis")]
mod upstash_adapter;
mod version;

// NextAuth and Auth.js.
pub use adapter::{AuthAdapter, SessionAndUser};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use auth_tables::AuthTables;
pub use authjs::AuthJs;
pub use claims::Claims;
pub use guard::{RequireAuth, RequireAuthService};
pub use layer::{AuthLayer, AuthService};
#[cfg(feature = "mongodb")]
pub use mongo_adapter::MongoAdapter;
pub use options::AuthJsOptions;
pub use refusal::{SessionRefusal, TokenRefusal};
pub use session::{AuthSession, ServerSession};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use sql::{SqlPool, SqlTime};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use sql_adapter::SqlAdapter;
pub use token::TokenCodec;
#[cfg(feature = "redis")]
pub use upstash_adapter::UpstashAdapter;
pub use version::AuthJsVersion;
