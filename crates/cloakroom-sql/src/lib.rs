#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(
        unused,
        clippy::drop_non_drop,
        clippy::unused_async,
        reason = "without a database, a store cannot be made"
    )
)]

mod atomic;
mod call;
mod check;
mod connection;
mod counterpart;
mod create;
mod dialect;
mod drop_table;
mod enumerate;
mod error;
mod expired;
mod expiry;
#[doc(hidden)]
pub mod for_tests;
mod live;
mod mysql_check;
mod mysql_error;
#[cfg(feature = "mysql")]
mod mysql_pool;
mod mysql_target;
mod mysql_upsert;
mod options;
mod parameter;
mod read;
mod record;
mod search;
mod sqlite_check;
mod statement;
mod store;
mod table;
mod target;
mod times;
mod turns;
mod value_index;

pub use counterpart::Counterpart;
pub use dialect::Dialect;
pub use expiry::{ExpiryForm, Rounding};
pub use options::SqlOptions;
pub use sqlx;
pub use store::SqlStore;
pub use table::{Column, Further, Table};
