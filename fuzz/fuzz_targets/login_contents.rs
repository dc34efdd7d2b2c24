//! Runs the target `login_contents` of `tests/fuzz` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloakroom_test_fuzz::run("login_contents", input));
