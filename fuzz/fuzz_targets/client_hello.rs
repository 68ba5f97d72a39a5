//! Any bytes at the beginning of a connection. More bytes never change what was read, and no
//! beginning of a hello is a mistake.

#![no_main]

use bulkhead_codec::client_hello::parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(Some(hello)) = parse(data) else { return };
    if let Some(name) = &hello.server_name {
        assert!(!name.is_empty() && name.len() <= 253 && name.is_ascii());
    }
    let first = (0..=data.len()).find_map(|cut| match parse(&data[..cut]) {
        Ok(found) => found,
        Err(error) => panic!("{error:?} at {cut}"),
    });
    assert_eq!(first, Some(hello));
});
