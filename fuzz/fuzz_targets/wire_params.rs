//! See `tcpls_wire::testing::params`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::params(data));
