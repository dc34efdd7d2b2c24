//! Runs the target `web_crypto` of `tests/fuzz` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloakroom_test_fuzz::run("web_crypto", input));
