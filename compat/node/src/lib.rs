#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!("cloakroom-node needs Unix: its child process talks over a Unix socket");

mod builder;
mod calls;
mod child;
mod error;
mod event;
mod frame;
mod operation;
mod reply;
mod settings;
mod state;
mod store;
mod supervisor;

pub use builder::NodeStoreBuilder;
pub use event::NodeEvent;
pub use settings::NodeStyle;
pub use store::NodeStore;
