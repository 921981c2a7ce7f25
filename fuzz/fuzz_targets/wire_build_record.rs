//! See `tcpls_wire::testing::build_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::build_record(data));
