//! See `tcpls_wire::testing::join_template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::join_template(data));
