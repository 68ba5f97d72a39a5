//! Any bytes at the beginning of a connection. A header lies within them, no beginning of it is
//! something else, and what it says survives being written and read again.

#![no_main]

use bulkhead_codec::proxy_protocol::{ProxyVersion, Start, encode, parse};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(Start::Header { proxied, length }) = parse(data) else { return };
    assert!(length <= data.len());
    for cut in 0..length {
        assert_eq!(parse(&data[..cut]), Ok(Start::Incomplete));
    }
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut out = Vec::new();
        encode(version, proxied, &mut out);
        let Ok(Start::Header { proxied: again, length }) = parse(&out) else {
            panic!("{} is not read back", out.escape_ascii());
        };
        assert_eq!(length, out.len());
        assert_eq!(again.is_some(), proxied.is_some());
    }
});
