#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod atomic;
mod client;
mod document;
#[cfg(feature = "encryption")]
mod encryption;
mod enumerate;
mod error;
mod expiry;
mod find;
#[doc(hidden)]
pub mod for_tests;
mod health;
mod index;
mod index_status;
mod live;
mod options;
mod origin;
mod parameter;
mod record;
mod sending;
mod store;
mod target;
mod topology;
mod transform_id;

pub use index_status::IndexStatus;
pub use mongodb;
pub use options::{AutoRemove, MongoOptions};
pub use store::MongoStore;
pub use transform_id::TransformId;
