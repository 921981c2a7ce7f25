//! See `tcpls_wire::testing::handshake_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::handshake_messages(data));
