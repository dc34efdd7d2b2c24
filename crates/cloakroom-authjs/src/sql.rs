//! The tables of npm packages, in a pool of sqlx that belongs to the application.
//!
//! A read is one statement, whose one row is one JSON text: so neither the types of the columns nor the database matter to
//! what reads it.

#![cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "what another database needs")
)]

mod dialect;
mod error;
mod pool;
mod sessions;
mod statement;
mod time;

pub(crate) use self::{
    dialect::{Dialect, check_names},
    sessions::{Sessions, Statements, Table},
    statement::{Moment, Values},
    time::{read_time, selected},
};
pub use self::{pool::SqlPool, time::SqlTime};
