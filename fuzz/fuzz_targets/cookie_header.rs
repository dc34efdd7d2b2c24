//! Runs the target `cookie_header` of `tests/fuzz` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloakroom_test_fuzz::run("cookie_header", input));
