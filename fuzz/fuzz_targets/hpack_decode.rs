//! Field blocks of any bytes. Whatever decodes into a request must stay within the limits, and come out
//! the same after it was encoded and decoded again.
#![no_main]

use bulkhead_codec::http2::{Connection, PREFACE, Settings};
use bulkhead_codec::{Event, Heads, Role};
use libfuzzer_sys::fuzz_target;

const HEAD_BYTES_MAX: u32 = 4_096;

/// Feeds everything; calls `seen` with each request's head.
fn feed(connection: &mut Connection, mut bytes: &[u8], mut seen: impl FnMut(&Heads)) -> bool {
    let (mut heads, mut out) = (Heads::default(), Vec::new());
    loop {
        match connection.next_event(&mut bytes, &mut heads, &mut out) {
            Ok(Some(Event::Request { .. })) => seen(&heads),
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let settings = Settings { head_bytes_max: HEAD_BYTES_MAX, ..Settings::default() };
    let mut server = Connection::new(Role::Server, &settings);
    let mut mirror = Connection::new(Role::Server, &settings);
    let huffman = data.first().is_some_and(|byte| byte & 1 == 1);
    let mut client = Connection::new(Role::Client, &Settings { huffman, ..settings });
    assert!(
        feed(&mut server, PREFACE, |_| ())
            && feed(&mut server, &[0, 0, 0, 4, 0, 0, 0, 0, 0], |_| ())
    );
    let mut bytes = Vec::new();
    client.start(&mut bytes);
    assert!(feed(&mut mirror, &bytes, |_| ()));
    // 0xfe begins a new block: as a representation it is an index far out of range.
    for (number, block) in data.get(1..).unwrap_or(&[]).split(|&byte| byte == 0xfe).enumerate() {
        let [_, a, b, c] = (block.len() as u32).to_be_bytes();
        let [s, t, u, v] = (number as u32 * 2 + 1).to_be_bytes();
        let frame = [&[a, b, c, 1, 5, s, t, u, v], block].concat();
        let mut requests = Vec::new();
        let goes_on = feed(&mut server, &frame, |heads| requests.push(heads.request.clone()));
        for head in requests {
            assert!(head.fields.list_bytes() <= HEAD_BYTES_MAX as usize);
            let mut bytes = Vec::new();
            if client.open(&head, true, 0, &mut bytes).is_err() {
                return;
            }
            let mut arrived = 0;
            let decoded = feed(&mut mirror, &bytes, |heads| {
                arrived += 1;
                assert_eq!(heads.request.fields, head.fields);
                assert_eq!(heads.request.target(), head.target());
                assert_eq!(heads.request.authority(), head.authority());
                assert_eq!(heads.request.method_text(), head.method_text());
                assert_eq!(heads.request.scheme, head.scheme);
            });
            assert!(decoded && arrived == 1);
        }
        if !goes_on {
            return;
        }
    }
});
