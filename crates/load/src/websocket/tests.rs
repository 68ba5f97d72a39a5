use bulkhead_message::ResponseHead;

use super::*;
use crate::Protocol;

mod run;

/// A server's frame: first byte as given, not masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(length as u8),
        length @ 126..65_536 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;

fn accept(request: &[u8]) -> String {
    let request = std::str::from_utf8(request).unwrap();
    let key = request.split("sec-websocket-key: ").nth(1).unwrap().split('\r').next().unwrap();
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

fn asked() -> (WebSocket, Vec<u8>) {
    let mut options = TargetOptions::new(([127, 0, 0, 1], 80).into(), Protocol::WebSocket);
    let headers = [("x-a", "1"), ("Host", "evil"), ("x-b", "1\r\nx-c: 2"), ("", "x")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    options.websocket = Some(Upgrade { headers, ..Upgrade::new("/chat?x=1", "a.example") });
    let socket = WebSocket::new(&options);
    let mut out = Vec::new();
    socket.start(&mut out);
    (socket, out)
}

/// One that is open, with messages for these tags in flight.
fn open(tags: &[Tag]) -> WebSocket {
    let (mut socket, request) = asked();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: x, Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept(&request)
    );
    let (events, error) = feed(&mut socket, answer.as_bytes(), usize::MAX);
    assert_eq!((events.as_slice(), error), (&["ready".to_owned()][..], None));
    for &tag in tags {
        socket.open(false, tag, &mut Vec::new()).unwrap();
        socket.send(b"question", &mut Vec::new());
    }
    socket
}

/// Hands the bytes over in pieces; tells the events, with data joined, and what ended it.
fn feed(socket: &mut WebSocket, bytes: &[u8], piece: usize) -> (Vec<String>, Option<&'static str>) {
    let (mut events, mut data, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut heads = Heads { response: ResponseHead::default(), ..Heads::default() };
    let mut input: Vec<u8> = Vec::new();
    for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
        input.extend_from_slice(piece);
        let mut rest = &input[..];
        loop {
            match socket.next_event(&mut rest, &mut heads, &mut out) {
                Err(error) => return (events, Some(error.reason)),
                Ok(None) => break,
                Ok(Some(Event::Response { tag, .. })) => {
                    events.push(format!("{tag}: {}", heads.response.status));
                }
                Ok(Some(Event::Data { tag, bytes, end, .. })) => {
                    data.extend_from_slice(bytes);
                    if end {
                        let text = String::from_utf8_lossy(&data).into_owned();
                        events.push(format!("{tag}: {text}"));
                        data.clear();
                    }
                }
                Ok(Some(Event::Ready)) => events.push("ready".to_owned()),
                Ok(Some(Event::GoAway { .. })) => events.push("close".to_owned()),
                Ok(Some(other)) => panic!("{other:?}"),
            }
        }
        let left = rest.len();
        input.drain(..input.len() - left);
    }
    if !out.is_empty() {
        events.push(format!("sent {:#x}", out[0]));
    }
    (events, None)
}

#[test]
fn the_upgrade_is_asked_for_with_the_fields_that_are_fields() {
    let (_, request) = asked();
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET /chat?x=1 HTTP/1.1\r\nhost: a.example\r\n"), "{request}");
    assert!(request.ends_with("\r\nx-a: 1\r\n\r\n") && !request.contains("x-b"), "{request}");
}

#[test]
fn a_refused_upgrade_says_why() {
    let agrees = "HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
    let long = format!("HTTP/1.1 101 S\r\nx: {}", "y".repeat(40_000));
    for (answer, expected) in [
        ("HTTP/1.1 404 Not Found\r\n\r\n", "was refused with status 404, not answered with 101"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "was refused with status 200"),
        ("HTTP/1.1 101 S\r\nconnection: upgrade\r\n\r\n", "another protocol"),
        ("HTTP/1.1 101 S\r\nupgrade: websocket\r\n\r\n", "without `connection: upgrade`"),
        (&format!("{agrees}\r\n"), "wrong `sec-websocket-accept`"),
        (&format!("{agrees}sec-websocket-accept: AAAA\r\n\r\n"), "wrong `sec-websocket-accept`"),
        ("\0\0\x12\x04\0\0\0\0\0", "what is not HTTP/1.1"),
        ("HTTP/1.0 101 S\r\n\r\n", "what is not HTTP/1.1"),
        (&long, "at too much length"),
    ] {
        let (mut socket, _) = asked();
        assert!(feed(&mut socket, answer.as_bytes(), usize::MAX).1.is_some(), "{answer:?}");
        let refusal = socket.take_refusal().unwrap();
        assert!(refusal.contains(expected) && refusal.contains("`/chat?x=1`"), "{refusal}");
    }
    let (mut socket, request) = asked();
    let answer = format!(
        "{agrees}sec-websocket-extensions: permessage-deflate\r\nsec-websocket-accept: {}\r\n\r\n",
        accept(&request)
    );
    assert!(feed(&mut socket, answer.as_bytes(), usize::MAX).1.is_some());
    assert!(socket.take_refusal().unwrap().contains("extensions"));
}

#[test]
fn answers_are_matched_in_order_however_the_bytes_are_cut() {
    let long = vec![b'z'; 70_000];
    let bytes = [
        frame(BINARY, b"one"),
        frame(0x89, b"ping"),
        frame(0x01, b"t"),
        frame(0x8a, b""),
        frame(0x00, b""),
        frame(0x80, b"wo"),
        frame(TEXT, &[b'3'; 300]),
        frame(BINARY, b""),
        frame(BINARY, b"nobody asked"),
        frame(BINARY, &long),
    ]
    .concat();
    for piece in [usize::MAX, 1, 2, 7, 1_000] {
        let mut socket = open(&[11, 12, 13, 14]);
        assert_eq!(socket.active_streams(), 4);
        let (events, error) = feed(&mut socket, &bytes, piece);
        let three = format!("13: {}", "3".repeat(300));
        let expected = [
            "11: 101",
            "11: one",
            "12: 101",
            "12: two",
            "13: 101",
            &three,
            "14: 101",
            "14: ",
            "sent 0x8a",
        ];
        assert_eq!((events, error), (expected.map(str::to_owned).to_vec(), None), "{piece}");
        assert_eq!((socket.active_streams(), socket.must_close()), (0, false));
    }
}

#[test]
fn a_message_goes_out_as_one_masked_frame() {
    use tungstenite::protocol::{Role, WebSocketContext};
    for length in [0, 1, 7, 8, 125, 126, 65_535, 65_536, 200_000] {
        let payload: Vec<u8> = (0..length).map(|place| place as u8).collect();
        let mut socket = open(&[]);
        let mut out = Vec::new();
        socket.open(payload.is_empty(), 1, &mut out).unwrap();
        if !payload.is_empty() {
            socket.send(&payload, &mut out);
        }
        let mut server = WebSocketContext::new(Role::Server, None);
        let message = server.read(&mut std::io::Cursor::new(out)).unwrap();
        assert_eq!(message.into_data(), payload);
    }
}

#[test]
fn an_answer_that_was_given_up_ends_the_connection_after_the_others() {
    let mut socket = open(&[1, 2, 3]);
    socket.abandon(2);
    assert_eq!((socket.active_streams(), socket.available_streams()), (2, 0));
    assert!(socket.open(true, 4, &mut Vec::new()).is_err() && !socket.must_close());
    let bytes = [frame(BINARY, b"a"), frame(BINARY, b"b"), frame(BINARY, b"c")].concat();
    let (events, _) = feed(&mut socket, &bytes, 1);
    assert_eq!(events, ["1: 101", "1: a", "3: 101", "3: c"]);
    assert!(socket.must_close());
    // The one that is coming in can be given up as well.
    let mut socket = open(&[1]);
    let mut bytes = frame(0x02, b"half");
    assert_eq!(feed(&mut socket, &bytes, 1).0, ["1: 101"]);
    socket.abandon(1);
    bytes = frame(0x80, b"rest");
    assert_eq!(feed(&mut socket, &bytes, 1), (Vec::new(), None));
    assert!(socket.must_close());
}

#[test]
fn a_close_frame_is_answered_and_what_is_in_flight_stays_unanswered() {
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe8why"] {
        let mut socket = open(&[1]);
        let bytes = [frame(0x88, payload), frame(BINARY, b"too late")].concat();
        assert_eq!(feed(&mut socket, &bytes, usize::MAX).0, ["close", "sent 0x88"]);
        assert!(socket.must_close() && socket.active_streams() == 1);
        let mut out = Vec::new();
        socket.say_goodbye(&mut out);
        assert!(out.is_empty(), "one close frame is enough");
    }
}

#[test]
fn hostile_frames_are_refused_and_never_panic() {
    for (bytes, reason) in [
        (&b"\x82\x81\x01\x02\x03\x04x"[..], "a masked frame from a server"),
        (b"\xc2\x01x", "reserved bits without an extension"),
        (b"\x83\x00", "an unknown opcode"),
        (b"\x8b\x00", "an unknown opcode"),
        (b"\x09\x00", "a control frame in parts, or of more than 125 bytes"),
        (b"\x88\x7e\x00\x80", "a control frame in parts, or of more than 125 bytes"),
        (b"\x88\x01x", "a close frame with half a code"),
        (b"\x80\x00", "a continuation of no message"),
        (b"\x02\x01x\x82\x00", "a message begins within another"),
        (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "a message of more than 16 MiB"),
        (b"\x02\x00\x00\x7f\x00\x00\x00\x00\x01\x00\x00\x01", "a message of more than 16 MiB"),
    ] {
        for piece in [usize::MAX, 1] {
            let mut socket = open(&[1, 2]);
            assert_eq!(feed(&mut socket, bytes, piece).1, Some(reason), "{bytes:?}");
            assert!(socket.must_close());
        }
    }
    // Noise, and sound frames with noise in them.
    let mut random = Random::new(1);
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 { frame(BINARY, b"sound") } else { Vec::new() };
        bytes.extend((0..random.below(40)).map(|_| random.next() as u8));
        if round % 2 == 0 {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << random.below(8);
        }
        let mut socket = open(&[1, 2, 3]);
        feed(&mut socket, &bytes, 1 + random.below(50) as usize);
        let mut tagged = 0;
        socket.for_each_stream(|_, tag| tagged += usize::from(*tag != 0));
        assert_eq!(tagged, socket.active_streams());
    }
}

#[test]
fn pings_that_nobody_reads_the_answers_of_end_the_connection() {
    let mut socket = open(&[]);
    let pings = frame(0x89, &[0; 125]).repeat(9_000);
    assert_eq!(feed(&mut socket, &pings, usize::MAX).1, Some("more pings than pongs are read"));
}
