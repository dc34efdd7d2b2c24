//! Examples of cloakroom: one idea per file, run with `cargo run --example NAME`.
