//! See `tcpls_crypto::testing::hello_reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_crypto::testing::hello_reader(data));
