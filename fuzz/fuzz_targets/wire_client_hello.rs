//! See `tcpls_wire::testing::client_hello`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::client_hello(data));
