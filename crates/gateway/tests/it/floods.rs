//! Peers that make work without wanting anything: each is cut off, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;

use crate::support::{address, client, config, feed, origin, read_response, start};

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

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

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

/// The flood must have been cut off, and others served before and after.
#[track_caller]
fn check(name: &str, beginning: &[u8], piece: impl Fn(u32) -> Vec<u8>) {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 1));
    let mut bystander = client(&gateway);
    let mut serve = |user| {
        bystander.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut bystander).1, feed(user), "{name}");
    };
    serve(1);
    let outcome = flood(&gateway, beginning, piece);
    let (calm, protocol) = (11, 1);
    let cut_off = outcome.go_away.is_some_and(|code| code == calm || code == protocol);
    assert!(cut_off, "{name} was not cut off: {outcome:?}");
    serve(2);
    let metrics = gateway.registry().render();
    let counted = metrics.lines().any(|line| {
        (line.starts_with("bulkhead_floods_total{")
            || line.starts_with("bulkhead_protocol_errors_total{"))
            && !line.ends_with(" 0")
    });
    assert!(counted, "{name}: the metrics do not tell");
}

#[test]
fn rapid_reset() {
    check("rapid reset", &[], |number| {
        let stream = number * 2 + 1;
        let mut pair = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        pair.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        pair
    });
}

#[test]
fn made_you_reset() {
    // A window update of 0 on a stream makes the gateway reset it.
    check("streams that we must reset", &[], |number| {
        let stream = number * 2 + 1;
        let mut pair = frame(HEADERS, END_HEADERS, stream, POST);
        pair.extend(frame(WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()));
        pair
    });
}

#[test]
fn continuation_flood() {
    let begun = frame(HEADERS, END_STREAM, 1, GET);
    check("empty continuations", &begun, |_| frame(CONTINUATION, 0, 1, &[]));
    let field = [0x00, 0x01, b'x', 0x01, b'y'];
    check("small continuations", &begun, move |_| frame(CONTINUATION, 0, 1, &field));
}

#[test]
fn control_frame_floods() {
    check("settings", &[], |_| frame(SETTINGS, 0, 0, &[]));
    check("pings", &[], |number| frame(PING, 0, 0, &u64::from(number).to_be_bytes()));
    check("unknown frames", &[], |_| frame(0xee, 0, 0, &[]));
}

#[test]
fn window_update_flood() {
    let open = frame(HEADERS, END_HEADERS, 1, POST);
    check("window updates", &open, |_| frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()));
}

#[test]
fn empty_data_flood() {
    let open = frame(HEADERS, END_HEADERS, 1, POST);
    check("empty DATA", &open, |_| frame(0, 0, 1, &[]));
}
