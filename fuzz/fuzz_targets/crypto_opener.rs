//! See `tcpls_crypto::testing::opener`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_crypto::testing::opener(data));
