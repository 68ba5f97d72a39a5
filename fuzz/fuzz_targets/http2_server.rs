//! Any frames against the HTTP/2 server; see `bulkhead_fuzz::http2` for what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulkhead_fuzz::http2::server(data));
