//! Runs the target `sql` of `tests/fuzz` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloakroom_test_fuzz::run("sql", input));
