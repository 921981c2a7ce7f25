//! See `tcpls_wire::testing::encrypted_extensions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tcpls_wire::testing::encrypted_extensions(data));
