//! Peers that make work without wanting anything: each is cut off, and nobody else notices. A binary of
//! its own, because it looks at the memory of the process.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the other tests, which need more of it")]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;

use support::{address, client, config, feed, frame, origin, read_response, resident_bytes, start};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET http://a/` in HPACK.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
/// `POST http://a/`.
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 0x01, b'a'];

/// What a flood came to.
#[derive(Debug)]
struct Outcome {
    /// Error code of the GOAWAY, if one was read.
    go_away: Option<u32>,
}

const PIECES: usize = 400_000;

/// Sends a beginning and then one piece after the other until the gateway closes.
fn flood(gateway: &Gateway, beginning: &[u8], piece: impl Fn(u32) -> Vec<u8>) -> Outcome {
    let mut socket = TcpStream::connect(address(gateway)).expect("connect");
    socket.set_write_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(frame(SETTINGS, 0, 0, &[]));
    preface.extend_from_slice(beginning);
    socket.write_all(&preface).expect("write the preface");
    // What is not read would be lost with the reset that answers our late writes.
    let mut reader = socket.try_clone().expect("a second handle");
    let reading = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let _ended_somehow = reader.read_to_end(&mut seen);
        seen
    });
    for batch in 0..PIECES / 100 {
        let bytes: Vec<u8> =
            (0..100).flat_map(|number| piece((batch * 100 + number) as u32)).collect();
        match socket.write_all(&bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The gateway has closed: the reader tells how.
            Err(_) => break,
        }
    }
    let seen = reading.join().expect("the reader ends");
    Outcome { go_away: go_away(&seen) }
}

fn go_away(mut bytes: &[u8]) -> Option<u32> {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 7 {
            let code = rest.get(4..8)?;
            return Some(u32::from_be_bytes(code.try_into().ok()?));
        }
        bytes = rest.get(length..)?;
    }
    None
}

/// GOAWAY codes: the peer floods; it breaks the protocol.
const CALM: u32 = 11;

/// Memory that a flood may cost at most, first use of gateway, origin and client included.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

/// The flood must have been cut off for `reason`, which one counter tells; others are served before and
/// after, and memory stays where it was.
#[track_caller]
fn check(name: &str, reason: &str, beginning: &[u8], piece: impl Fn(u32) -> Vec<u8>) {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 1));
    let mut bystander = client(&gateway);
    let mut serve = |user| {
        bystander.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut bystander).1, feed(user), "{name}");
    };
    serve(1);
    let before = resident_bytes();
    let outcome = flood(&gateway, beginning, piece);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{name} costs {grown} bytes");
    assert_eq!(outcome.go_away, Some(CALM), "{name}");
    serve(2);
    let expected = format!("bulkhead_floods_total{{reason=\"{reason}\"}} 1");
    let metrics = gateway.registry().render();
    let floods: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("bulkhead_floods_total")).collect();
    assert_eq!(floods, [expected], "{name}");
}

/// One after the other: each is held to what the process needed before it.
#[test]
fn every_flood_is_cut_off_and_costs_nobody_else() {
    rapid_reset();
    made_you_reset();
    continuation_flood();
    control_frame_floods();
    window_update_flood();
    empty_data_flood();
}

fn rapid_reset() {
    check("rapid reset", "too many streams cancelled", &[], |number| {
        let stream = number * 2 + 1;
        let mut pair = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        pair.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        pair
    });
}

fn made_you_reset() {
    // A window update of 0 on a stream makes the gateway reset it.
    check("streams that we must reset", "too many streams in error", &[], |number| {
        let stream = number * 2 + 1;
        let mut pair = frame(HEADERS, END_HEADERS, stream, POST);
        pair.extend(frame(WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()));
        pair
    });
}

fn continuation_flood() {
    let begun = frame(HEADERS, END_STREAM, 1, GET);
    check("empty continuations", "too many CONTINUATION frames", &begun, |_| {
        frame(CONTINUATION, 0, 1, &[])
    });
    let field = [0x00, 0x01, b'x', 0x01, b'y'];
    check("small continuations", "too many CONTINUATION frames", &begun, move |_| {
        frame(CONTINUATION, 0, 1, &field)
    });
}

fn control_frame_floods() {
    check("settings", "too many control frames", &[], |_| frame(SETTINGS, 0, 0, &[]));
    check("pings", "too many control frames", &[], |number| {
        frame(PING, 0, 0, &u64::from(number).to_be_bytes())
    });
    check("priorities", "too many control frames", &[], |number| {
        frame(2, 0, number * 2 + 1, &[0, 0, 0, 0, 1])
    });
    check("unknown frames", "too many control frames", &[], |_| frame(0xee, 0, 0, &[]));
}

fn window_update_flood() {
    let open = frame(HEADERS, END_HEADERS, 1, POST);
    check("window updates", "too many WINDOW_UPDATE frames", &open, |_| {
        frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes())
    });
}

fn empty_data_flood() {
    let open = frame(HEADERS, END_HEADERS, 1, POST);
    check("empty DATA", "too many tiny DATA frames", &open, |_| frame(0, 0, 1, &[]));
    check("padded empty DATA", "too many tiny DATA frames", &open, |_| frame(0, 8, 1, &[0]));
    check("tiny DATA", "too many tiny DATA frames", &open, |_| frame(0, 0, 1, b"x"));
}

/// What is wrong on one stream costs that stream alone, and a counter tells.
#[test]
fn what_goes_wrong_on_one_stream_is_counted() {
    let field = |name: &str, value: &str| {
        let mut head = GET.to_vec();
        head.extend_from_slice(&[0, name.len() as u8]);
        head.extend_from_slice(name.as_bytes());
        head.push(value.len() as u8);
        head.extend_from_slice(value.as_bytes());
        head
    };
    let many = (0..200).fold(GET.to_vec(), |mut head, _| {
        head.extend_from_slice(&[0, 1, b'x', 1, b'y']);
        head
    });
    for (name, head, reason) in [
        ("upper case", field("X-A", "b"), "protocol_error"),
        ("connection", field("connection", "close"), "protocol_error"),
        ("transfer-encoding", field("transfer-encoding", "chunked"), "protocol_error"),
        ("line break", field("x", "a\r\nb: c"), "protocol_error"),
        ("many fields", many, "head_too_large"),
    ] {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let mut client = client(&gateway);
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        client.send(frame(SETTINGS, 0, 0, &[]));
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head));
        // Another stream of the same connection is served.
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, GET));
        client.read_until(b"status 404");
        let expected =
            format!("bulkhead_stream_errors_total{{reason=\"{reason}\",side=\"downstream\"}} 1");
        let metrics = gateway.registry().render();
        assert!(metrics.lines().any(|line| line == expected), "{name}: {metrics}");
        assert_eq!(origin.stats().requests_total(), 1, "{name}");
    }
}
