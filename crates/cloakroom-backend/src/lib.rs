#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod aside;
mod caught;
mod checks;
mod deadline;
mod drivers;
mod expiry;
mod idempotency;
mod in_part;
mod index_value;
mod invalidations;
pub mod observe;
mod operation;
mod pace;
mod pauses;
mod record_limit;
mod runtimes;
mod shared;
mod store_url;
mod traffic;

pub use caught::caught;
pub use checks::{invalid_option, whole_seconds};
pub use deadline::{DEFAULT_LIMIT, LongestLimit, timer, within};
pub use expiry::{expires_at_ms, later};
pub use idempotency::Idempotency;
pub use in_part::in_part;
pub use index_value::{IndexValue, check_index_path, is_index_path};
pub use invalidations::{InvalidationSink, Invalidations};
pub use operation::Operation;
pub use pace::Pace;
pub use pauses::{Pauses, doubled, jitter};
pub use record_limit::{MAX_RECORD, left_out, left_out_bytes};
pub use runtimes::{Needs, Runtimes};
pub use shared::{Attempt, Connection, Joined, Shared, Start};
pub use store_url::{ParameterNames, StoreUrl, UrlParameter};
pub use traffic::Traffic;
