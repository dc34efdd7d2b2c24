//! What `std::hash` is to the included code: a `RandomState` that is the same in each execution, because one that fails
//! is run again.

pub use real::hash::{BuildHasher, Hash};
use real::hash::{BuildHasherDefault, DefaultHasher};

/// As `std::hash::RandomState`, without chance.
pub type RandomState = BuildHasherDefault<DefaultHasher>;
