//! See `tcpls_crypto::testing::sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_crypto::testing::sealed(data));
