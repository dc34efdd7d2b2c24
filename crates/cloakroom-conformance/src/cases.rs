//! The cases, by theme.

pub(crate) mod concurrency;
pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod expiry;
pub(crate) mod find;
pub(crate) mod foreign;
pub(crate) mod get;
pub(crate) mod get_and_touch;
pub(crate) mod handles;
pub(crate) mod ids;
pub(crate) mod interruption;
pub(crate) mod length_and_clear;
pub(crate) mod listing;
pub(crate) mod load;
pub(crate) mod no_dates;
pub(crate) mod outage;
pub(crate) mod races;
pub(crate) mod records;
pub(crate) mod runtimes;
pub(crate) mod sequences;
pub(crate) mod set;
pub(crate) mod stale_cookies;
pub(crate) mod time_left;
pub(crate) mod touch;
pub(crate) mod update;
