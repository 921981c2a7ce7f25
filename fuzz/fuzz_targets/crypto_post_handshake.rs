//! See `tcpls_crypto::testing::post_handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_crypto::testing::post_handshake(data));
