//! Runs the target `connect_mongo_3` of `tests/fuzz` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloakroom_test_fuzz::run("connect_mongo_3", input));
