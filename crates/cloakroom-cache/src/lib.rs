#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cached;
mod listener;
mod moment;
mod near;
mod options;
mod stats;
mod touches;

pub use cached::Cached;
pub use options::CacheOptions;
pub use stats::CacheStats;
