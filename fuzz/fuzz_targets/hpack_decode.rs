//! Any field blocks; see `bulkhead_fuzz::http2` for what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulkhead_fuzz::http2::hpack(data));
