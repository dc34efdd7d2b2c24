#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod atomic;
mod disk;
mod enumerate;
mod error;
mod expired;
mod folder;
mod lock;
mod name;
mod options;
mod parameter;
mod record;
mod store;
mod until;
mod walk;

pub use options::FileOptions;
pub use store::FileStore;
