#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod calls;
mod case;
mod cases;
mod delays;
mod dropped;
mod failure;
mod harm;
mod list;
mod probe;
mod report;
mod run;
mod store_under_test;
mod suite;

pub use access::{AccessError, Faults, RawAccess};
pub use case::{CASES, Case};
pub use report::{CaseReport, Outcome, Report};
pub use run::{Options, run, run_with};
pub use store_under_test::StoreUnderTest;

/// For the code that [`suite!`] generates. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        case::by_name,
        suite::{Expectation, test},
    };
}
