#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Sealed and signed cookies.
pub mod better_auth;
pub mod cookie_session;
pub mod iron_session;
pub mod keygrip;
pub mod koa_session;
pub mod sealed;
