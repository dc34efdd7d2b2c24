//! Examples of cloakroom: one idea a file, run with `cargo run --example NAME`.
