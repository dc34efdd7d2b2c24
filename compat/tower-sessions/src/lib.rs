#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ids;
mod ours;
mod record;
mod theirs;

pub use ids::{id_of, is_own_text};
pub use ours::CloakroomStore;
pub use theirs::{OnStoreError, TowerSessionsStore};
// The traits and types of tower-sessions in the API of this crate.
pub use tower_sessions_core;
