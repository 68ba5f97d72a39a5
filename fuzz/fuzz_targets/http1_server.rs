//! Any bytes against the HTTP/1 server; see `bulkhead_fuzz::http1` for what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulkhead_fuzz::http1::server(data));
