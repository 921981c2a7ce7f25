//! See `tcpls_core::testing::session_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_core::testing::session_records(data));
