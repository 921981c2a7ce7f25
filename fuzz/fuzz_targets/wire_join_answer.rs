//! See `tcpls_wire::testing::join_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::join_answer(data));
