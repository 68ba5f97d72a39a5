//! Bytes in, events and answers out: one row for each rule of RFC 9113.

use super::*;
use crate::http2::frame::*;

/// Bytes of a frame.
fn frame(kind: u8, flags: u8, stream: StreamId, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(payload.len(), kind, flags, stream, &mut out);
    out.extend_from_slice(payload);
    out
}

/// A field block without compression: `name=value` separated by spaces (`\u{20}` is `_` in values).
fn block(fields: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields.split_whitespace() {
        let (name, value) = field.split_at(field[1..].find('=').unwrap() + 1);
        let value = value[1..].replace('_', " ");
        out.push(0);
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
        out.push(value.len() as u8);
        out.extend_from_slice(value.as_bytes());
    }
    out
}

const GET: &str = ":method=GET :scheme=http :path=/ :authority=a";
const POST: &str = ":method=POST :scheme=http :path=/ :authority=a";
const END: u8 = FLAG_END_STREAM | FLAG_END_HEADERS;

fn headers(stream: StreamId, flags: u8, fields: &str) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

/// What stands in `out`, one short line for each frame.
fn answers(mut out: &[u8]) -> String {
    let mut lines = Vec::new();
    while let Some(header) = Header::parse(out) {
        let payload = &out[HEADER_BYTES..HEADER_BYTES + header.len];
        out = &out[HEADER_BYTES + header.len..];
        let word = |at: usize| {
            payload.get(at..at + 4).map_or(0, |b| u32::from_be_bytes(b.try_into().unwrap()))
        };
        lines.push(match header.kind {
            RST_STREAM => format!("rst {} {}", header.stream, word(0)),
            GOAWAY => format!("goaway {} {}", word(0), word(4)),
            SETTINGS if header.has(FLAG_ACK) => "settings ack".to_owned(),
            PING if header.has(FLAG_ACK) => format!("pong {}", text(payload)),
            WINDOW_UPDATE => format!("window {} {}", header.stream, word(0)),
            HEADERS => format!("headers {} {:#x}", header.stream, header.flags),
            kind => format!("frame {kind} {}", header.stream),
        });
    }
    lines.join(", ")
}

/// A server that has seen preface and SETTINGS.
fn server() -> Side {
    let mut side = Side::new(Role::Server, &Settings::default());
    side.feed(PREFACE, 100).unwrap();
    side.feed(&frame(SETTINGS, 0, 0, &[]), 100).unwrap();
    side.feed(&frame(SETTINGS, FLAG_ACK, 0, &[]), 100).unwrap();
    side.out.clear();
    side
}

/// Feeds `frames` to `side` in one piece and byte by byte alike; gives "events | answers".
fn outcome(make: impl Fn() -> Side, frames: &[Vec<u8>]) -> String {
    let run = |piece: usize| {
        let mut side = make();
        let failed = side.feed(&frames.concat(), piece).is_err();
        assert_eq!(side.connection.must_close(), failed || side.connection.phase.peer_leaving);
        format!("{} | {}", side.take_log().replace('\n', ", "), answers(&side.out))
    };
    let whole = run(1_000_000);
    assert_eq!(whole, run(1), "the outcome depends on how the input is cut");
    whole
}

#[track_caller]
fn check(frames: &[Vec<u8>], expect: &str) {
    assert_eq!(outcome(server, frames), expect);
}

/// A request that is malformed: reset on the wire, and the owner never hears of it.
#[track_caller]
fn check_malformed(fields: &str) {
    assert_eq!(outcome(server, &[headers(1, END, fields)]), " | rst 1 1", "{fields}");
}

#[track_caller]
fn check_request(fields: &str, expect: &str) {
    assert_eq!(outcome(server, &[headers(1, END, fields)]), format!("{expect} | "), "{fields}");
}

#[test]
fn well_formed_requests() {
    check_request(GET, "1 GET http://a/ end");
    check_request(":path=/x?y :method=PURGE :scheme=https", "1 PURGE https:///x?y end");
    check_request(":method=OPTIONS :scheme=http :path=* :authority=a", "1 OPTIONS http://a* end");
    check_request(":method=CONNECT :authority=a:443", "1 CONNECT http://a:443 end");
    check_request(":method=GET :scheme=http :path=/ host=b", "1 GET http://b/ end");
    check_request(&format!("{GET} host=A"), "1 GET http://a/ end");
    check_request(&format!("{GET} te=trailers x=1"), "1 GET http://a/ te=trailers x=1 end");
    check_request(&format!("{GET} content-length=0"), "1 GET http://a/ content-length=0 end");
    check_request(
        &format!("{GET} cookie=a=1 x=1 cookie=b=2 cookie=c=3"),
        "1 GET http://a/ x=1 cookie=a=1; b=2; c=3 end",
    );
    check_request(&format!("{GET} cookie=a=1"), "1 GET http://a/ cookie=a=1 end");
    // Found by fuzzing: an empty crumb left a value that ends with a space.
    check_request(
        &format!("{GET} cookie= cookie=a=1 cookie= cookie=b=2 cookie="),
        "1 GET http://a/ cookie=a=1; b=2 end",
    );
    check_request(&format!("{GET} cookie= cookie="), "1 GET http://a/ cookie= end");
}

#[test]
fn malformed_requests() {
    for fields in [
        // Pseudo-header fields: missing, repeated, unknown, of a response, behind a regular field.
        ":scheme=http :path=/",
        ":method=GET :path=/",
        ":method=GET :scheme=http",
        ":method=GET :method=GET :scheme=http :path=/",
        ":method=GET :scheme=http :scheme=http :path=/",
        ":method=GET :scheme=http :path=/ :path=/",
        ":method=GET :scheme=http :path=/ :authority=a :authority=a",
        ":method=GET :scheme=http :path=/ :status=200",
        ":method=GET :scheme=http :path=/ :unknown=1",
        ":method=GET :scheme=http x=1 :path=/",
        // Their values.
        ":method= :scheme=http :path=/",
        ":method=G(T :scheme=http :path=/",
        ":method=GET :scheme=ftp :path=/",
        ":method=GET :scheme=http :path=",
        ":method=GET :scheme=http :path=x",
        ":method=GET :scheme=http :path=*",
        ":method=GET :scheme=http :path=/a#b",
        ":method=GET :scheme=http :path=/a_b",
        ":method=GET :scheme=http :path=/ :authority=",
        ":method=GET :scheme=http :path=/ :authority=user@a",
        ":method=GET :scheme=http :path=/ :authority=a%00",
        ":method=GET :scheme=http :path=/ :authority=[a]",
        ":method=GET :scheme=http :path=/ :authority=a:65536",
        // CONNECT.
        ":method=CONNECT",
        ":method=CONNECT :authority=a :path=/",
        ":method=CONNECT :authority=a :scheme=http",
        ":method=CONNECT :scheme=http :path=/ :authority=a :protocol=websocket",
        ":method=GET :scheme=http :path=/ :protocol=websocket",
        // Regular fields.
        ":method=GET :scheme=http :path=/ X=1",
        ":method=GET :scheme=http :path=/ x(=1",
        ":method=GET :scheme=http :path=/ x=\u{1}",
        ":method=GET :scheme=http :path=/ x=\u{7f}",
        ":method=GET :scheme=http :path=/ x=_1",
        ":method=GET :scheme=http :path=/ x=1_",
        ":method=GET :scheme=http :path=/ connection=close",
        ":method=GET :scheme=http :path=/ keep-alive=1",
        ":method=GET :scheme=http :path=/ proxy-connection=close",
        ":method=GET :scheme=http :path=/ transfer-encoding=chunked",
        ":method=GET :scheme=http :path=/ upgrade=h2c",
        ":method=GET :scheme=http :path=/ te=gzip",
        ":method=GET :scheme=http :path=/ :authority=a host=b",
        ":method=GET :scheme=http :path=/ host=a host=a",
        ":method=GET :scheme=http :path=/ host=a/b",
        ":method=GET :scheme=http :path=/ host=a:b",
        ":method=GET :scheme=http :path=/ content-length=1",
        ":method=GET :scheme=http :path=/ content-length=0 content-length=0",
        ":method=GET :scheme=http :path=/ content-length=-0",
        ":method=GET :scheme=http :path=/ content-length=",
        ":method=GET :scheme=http :path=/ content-length=18446744073709551616",
    ] {
        check_malformed(fields);
    }
    // Line breaks and NUL cannot be written in the notation above.
    for byte in [b'\r', b'\n', 0] {
        let mut bytes = block(GET);
        bytes.extend_from_slice(&[0, 1, b'x', 3, b'1', byte, b'2']);
        check(&[frame(HEADERS, END, 1, &bytes)], " | rst 1 1");
    }
    check(&[frame(HEADERS, END, 1, &[])], " | rst 1 1");
}

#[test]
fn compression_stays_in_step_behind_a_malformed_request() {
    // The first block inserts `x: y` into the table and is malformed; the second one uses it.
    let mut first = block("connection=close");
    first.extend_from_slice(b"\x40\x01x\x01y");
    let mut second = block(GET);
    second.push(0x80 | 62);
    check(
        &[frame(HEADERS, END, 1, &first), frame(HEADERS, END, 3, &second)],
        "3 GET http://a/ x=y end | rst 1 1",
    );
}

#[test]
fn a_malformed_authority_is_so_in_the_table_too() {
    // The first block inserts `:authority: a%` into the table; the second one uses it.
    let mut first = block(":method=GET :scheme=http :path=/");
    let mut second = first.clone();
    first.extend_from_slice(b"\x41\x02a%");
    second.push(0x80 | 62);
    check(
        &[frame(HEADERS, END, 1, &first), frame(HEADERS, END, 3, &second)],
        " | rst 1 1, rst 3 1",
    );
}

#[test]
fn bodies_against_their_declared_length() {
    let open = || headers(1, FLAG_END_HEADERS, &format!("{POST} content-length=3"));
    let told = "1 POST http://a/ content-length=3";
    let data = |flags, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    check(&[open(), data(1, b"abc")], &format!("{told}, 1 data abc end | "));
    check(&[open(), data(0, b"abc"), data(1, b"")], &format!("{told}, 1 data abc, 1 data  end | "));
    check(
        &[open(), data(0, b"abc"), headers(1, END, "t=1")],
        &format!("{told}, 1 data abc, 1 trailers t=1 | "),
    );
    let reset = "1 reset 1 by us | rst 1 1";
    check(&[open(), data(1, b"ab")], &format!("{told}, {reset}"));
    check(&[open(), data(0, b"abcd")], &format!("{told}, {reset}"));
    check(&[open(), data(0, b"ab"), data(1, b"cd")], &format!("{told}, 1 data ab, {reset}"));
    check(
        &[open(), data(0, b"ab"), headers(1, END, "t=1")],
        &format!("{told}, 1 data ab, {reset}"),
    );
}

#[test]
fn trailers() {
    let open = || headers(1, FLAG_END_HEADERS, POST);
    let told = "1 POST http://a/";
    check(&[open(), headers(1, END, "a=1 b=2")], &format!("{told}, 1 trailers a=1 b=2 | "));
    check(&[open(), headers(1, END, "")], &format!("{told}, 1 trailers | "));
    for (flags, fields) in [
        (FLAG_END_HEADERS, "a=1"),
        (END, ":method=GET"),
        (END, ":status=200"),
        (END, "A=1"),
        (END, "connection=close"),
    ] {
        check(&[open(), headers(1, flags, fields)], &format!("{told}, 1 reset 1 by us | rst 1 1"));
    }
}

#[test]
fn states_of_streams() {
    let ended = || headers(1, END, GET);
    let told = "1 GET http://a/ end";
    let data = |stream| frame(DATA, 0, stream, b"x");
    // Idle.
    check(&[data(1)], " | goaway 0 1");
    check(&[frame(RST_STREAM, 0, 1, &[0; 4])], " | goaway 0 1");
    check(&[frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])], " | goaway 0 1");
    check(&[frame(CONTINUATION, 4, 1, &[])], " | goaway 0 1");
    // Half closed by the peer.
    check(&[ended(), data(1)], &format!("{told}, 1 reset 5 by us | rst 1 5"));
    check(&[ended(), headers(1, END, "a=1")], &format!("{told}, 1 reset 5 by us | rst 1 5"));
    // Closed by the peer's RST_STREAM.
    let cancelled = || [ended(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat();
    let gone = "1 GET http://a/ end, 1 reset 8 by peer";
    check(&[cancelled(), data(1)], &format!("{gone} | rst 1 5"));
    check(&[cancelled(), headers(1, END, "a=1")], &format!("{gone} | goaway 1 5"));
    check(&[cancelled(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])], &format!("{gone} | "));
    check(&[cancelled(), frame(RST_STREAM, 0, 1, &[0; 4])], &format!("{gone} | "));
    // Closed by our RST_STREAM: late frames are ignored, and keep the compression in step.
    let refused = || headers(1, FLAG_END_HEADERS, ":method=GET");
    let mut late = block("a=1");
    late.extend_from_slice(b"\x40\x01x\x01y");
    let mut next = block(GET);
    next.push(0x80 | 62);
    check(
        &[refused(), data(1), frame(HEADERS, END, 1, &late), frame(HEADERS, END, 3, &next)],
        "3 GET http://a/ x=y end | rst 1 1",
    );
    // Numbers.
    check(&[headers(2, END, GET)], " | goaway 0 1");
    check(&[headers(0, END, GET)], " | goaway 0 1");
    check(&[headers(5, END, GET), headers(3, END, GET)], "5 GET http://a/ end | goaway 5 1");
}

#[test]
fn sizes_and_places_of_frames() {
    let size = " | goaway 0 6";
    let protocol = " | goaway 0 1";
    for (frame, expect) in [
        (frame(PING, 0, 0, &[0; 7]), size),
        (frame(PING, 0, 1, &[0; 8]), protocol),
        (frame(SETTINGS, 0, 0, &[0; 5]), size),
        (frame(SETTINGS, 0, 1, &[]), protocol),
        (frame(SETTINGS, FLAG_ACK, 0, &[0; 6]), size),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 3]), size),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 4]), protocol),
        (frame(RST_STREAM, 0, 1, &[0; 3]), size),
        (frame(RST_STREAM, 0, 0, &[0; 4]), protocol),
        (frame(GOAWAY, 0, 0, &[0; 7]), size),
        (frame(GOAWAY, 0, 1, &[0; 8]), protocol),
        (frame(PRIORITY, 0, 1, &[0; 4]), size),
        (frame(PRIORITY, 0, 0, &[0; 5]), protocol),
        (frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), protocol),
        (frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), protocol),
        (frame(DATA, 0, 0, b"x"), protocol),
        (frame(HEADERS, END | FLAG_PRIORITY, 1, &[0; 4]), size),
        (frame(HEADERS, END | FLAG_PADDED, 1, &[]), size),
        (frame(HEADERS, END | FLAG_PADDED, 1, &[1]), protocol),
        (frame(DATA, 0, 0, &vec![0; 16_385]), size),
        (frame(HEADERS, FLAG_END_STREAM, 1, &vec![0; 16_385]), size),
        (frame(HEADERS, END, 1, &[0x80]), " | goaway 0 9"),
        (frame(HEADERS, END, 1, &[0x80 | 70]), " | goaway 0 9"),
        (frame(HEADERS, END, 1, &[0x3f, 0xe2, 0x1f]), " | goaway 0 9"),
        (frame(HEADERS, END, 1, &[0x82, 0x20]), " | goaway 0 9"),
        (frame(HEADERS, END, 1, &[0x20, 0x20, 0x20]), " | goaway 0 9"),
    ] {
        // A request takes its number even if its block turns out to be broken.
        let got = outcome(server, std::slice::from_ref(&frame));
        assert_eq!(got.replace("goaway 1", "goaway 0"), expect, "{frame:x?}");
    }
}

#[test]
fn frames_that_are_ignored_or_answered() {
    check(&[frame(PRIORITY, 0, 9, &[0, 0, 0, 1, 0])], " | ");
    check(&[frame(0x16, 0xff, 0, b"anything")], " | ");
    check(&[frame(PING, 0, 0, b"12345678")], " | pong 12345678");
    check(&[frame(PING, FLAG_ACK, 0, b"12345678")], "pong 12345678 | ");
    check(&[frame(SETTINGS, 0, 0, &[0, 99, 0, 0, 0, 1])], " | settings ack");
    check(&[frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2])], "goaway 0 2 | ");
    // Reserved bits and undefined flags.
    let mut request = headers(1, END | 0xd0 & !FLAG_PRIORITY & !FLAG_PADDED, GET);
    request[5] |= 0x80;
    check(&[request], "1 GET http://a/ end | ");
}

#[test]
fn padding_and_priority_are_stripped() {
    let mut payload = vec![4];
    payload.extend_from_slice(&[0x80, 0, 0, 3, 15]);
    payload.extend_from_slice(&block(POST));
    payload.extend_from_slice(&[0; 4]);
    let flags = FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY;
    check(
        &[frame(HEADERS, flags, 1, &payload), frame(DATA, 9, 1, b"\x02abc\0\0")],
        "1 POST http://a/, 1 data abc end | ",
    );
    // A stream cannot depend on itself.
    payload[4] = 1;
    check(&[frame(HEADERS, flags, 1, &payload)], " | rst 1 1");
}

#[test]
fn continuation() {
    let bytes = block(GET);
    let (a, b) = bytes.split_at(7);
    let (b, c) = b.split_at(1);
    let first = || frame(HEADERS, FLAG_END_STREAM, 1, a);
    let told = "1 GET http://a/ end | ";
    check(&[first(), frame(CONTINUATION, 0, 1, b), frame(CONTINUATION, 4, 1, c)], told);
    check(&[first(), frame(CONTINUATION, 0, 1, &[]), frame(CONTINUATION, 4, 1, &bytes[7..])], told);
    // Nothing may stand between.
    check(&[first(), frame(PING, 0, 0, &[0; 8])], " | goaway 0 1");
    check(&[first(), frame(CONTINUATION, 4, 3, &[])], " | goaway 0 1");
    check(&[first(), headers(1, END, GET)], " | goaway 0 1");
    // Flood.
    let mut frames = vec![first()];
    frames.extend((0..17).map(|_| frame(CONTINUATION, 0, 1, &[])));
    check(&frames, " | goaway 0 11");
}

#[test]
fn settings_out_of_range() {
    for (id, value, code) in
        [(2u16, 2u32, 1), (4, 0x8000_0000, 3), (5, 16_383, 1), (5, 0x0100_0000, 1)]
    {
        let payload = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        check(&[frame(SETTINGS, 0, 0, &payload)], &format!(" | goaway 0 {code}"));
    }
}

#[test]
fn preface() {
    let fresh = || {
        let mut side = Side::new(Role::Server, &Settings::default());
        side.out.clear();
        side
    };
    let settings = frame(SETTINGS, 0, 0, &[]);
    let run = |frames: &[Vec<u8>]| outcome(fresh, frames);
    assert_eq!(run(&[PREFACE.to_vec(), settings.clone()]), " | settings ack");
    assert_eq!(run(&[PREFACE[..20].to_vec()]), " | ");
    assert_eq!(run(&[b"GET / HTTP/1.1\r\n".to_vec()]), " | goaway 0 1");
    assert_eq!(run(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX".to_vec()]), " | goaway 0 1");
    let ping = frame(PING, 0, 0, &[0; 8]);
    assert_eq!(run(&[PREFACE.to_vec(), ping, settings.clone()]), " | goaway 0 1");
    let ack = frame(SETTINGS, FLAG_ACK, 0, &[]);
    assert_eq!(run(&[PREFACE.to_vec(), ack, settings]), " | goaway 0 1");
}

#[test]
fn oversized_heads_are_answered_with_431() {
    let settings = Settings { head_bytes_max: 300, fields_max: 5, ..Settings::default() };
    let make = || {
        let mut side = Side::new(Role::Server, &settings);
        side.feed(PREFACE, 100).unwrap();
        side.feed(&frame(SETTINGS, 0, 0, &[]), 100).unwrap();
        side.out.clear();
        side
    };
    let large = format!("{GET} x={}", "a".repeat(120));
    assert_eq!(outcome(make, &[headers(1, END, &large)]), " | headers 1 0x5");
    assert_eq!(outcome(make, &[headers(1, FLAG_END_HEADERS, &large)]), " | headers 1 0x5, rst 1 0");
    let mut tables = block(GET);
    tables.extend([0x90; 6]);
    assert_eq!(outcome(make, &[frame(HEADERS, END, 1, &tables)]), " | headers 1 0x5");
    // Far beyond the limit the connection ends.
    let bomb: Vec<u8> = [0x90; 40].to_vec();
    assert_eq!(outcome(make, &[frame(HEADERS, END, 1, &bomb)]), " | goaway 1 11");
}

/// A client with three requests under way: GET on 1, HEAD on 3, POST (not ended) on 5.
fn client() -> Side {
    let mut side = Side::new(Role::Client, &Settings::default());
    side.feed(&frame(SETTINGS, 0, 0, &[]), 100).unwrap();
    let mut head = get("/");
    side.connection.open(&head, true, 1, &mut side.out).unwrap();
    head.set_method(b"HEAD");
    side.connection.open(&head, true, 3, &mut side.out).unwrap();
    head.set_method(b"POST");
    side.connection.open(&head, false, 5, &mut side.out).unwrap();
    side.take_log();
    side.out.clear();
    side
}

#[track_caller]
fn check_client(frames: &[Vec<u8>], expect: &str) {
    assert_eq!(outcome(client, frames), expect);
}

#[test]
fn responses() {
    let head = |stream, fields| headers(stream, FLAG_END_HEADERS, fields);
    let data = |stream, flags, bytes: &[u8]| frame(DATA, flags, stream, bytes);
    check_client(&[headers(1, END, ":status=204")], "1/1 204 end | ");
    check_client(
        &[
            head(1, ":status=100"),
            head(1, ":status=103 link=x"),
            head(1, ":status=200"),
            data(1, 0, b"ab"),
            headers(1, END, "t=1"),
        ],
        "1/1 100, 1/1 103 link=x, 1/1 200, 1 data ab, 1 trailers t=1 | ",
    );
    // Responses without a body may declare the length that a body would have had.
    check_client(
        &[headers(3, END, ":status=200 content-length=9")],
        "3/3 200 content-length=9 end | ",
    );
    check_client(
        &[head(3, ":status=200 content-length=9"), data(3, 1, b"")],
        "3/3 200 content-length=9, 3 data  end | ",
    );
    check_client(
        &[headers(1, END, ":status=304 content-length=9")],
        "1/1 304 content-length=9 end | ",
    );
    let reset = "1 reset 1 by us | rst 1 1";
    check_client(&[headers(1, END, ":status=200 content-length=9")], reset);
    check_client(&[data(1, 0, b"x")], reset);
    check_client(&[headers(1, END, ":status=100")], reset);
    check_client(&[head(1, ":status=100"), data(1, 0, b"x")], &format!("1/1 100, {reset}"));
    check_client(&[head(3, ":status=200"), data(3, 0, b"x")], "3/3 200, 3 reset 1 by us | rst 3 1");
    check_client(&[head(1, ":status=204"), data(1, 0, b"x")], &format!("1/1 204, {reset}"));
    check_client(&[head(1, ":status=200"), head(1, ":status=200")], &format!("1/1 200, {reset}"));
    for fields in [
        "x=1",
        ":status=20",
        ":status=2000",
        ":status=099",
        ":status=101",
        ":status=2x0",
        ":status=200 :status=200",
        "x=1 :status=200",
        ":status=200 :path=/",
        ":status=200 X=1",
        ":status=200 connection=close",
        ":status=200 transfer-encoding=chunked",
    ] {
        assert_eq!(outcome(client, &[head(1, fields)]), reset, "{fields}");
    }
}

#[test]
fn what_a_server_may_not_do() {
    check_client(&[headers(7, END, ":status=200")], " | goaway 0 1");
    check_client(&[headers(2, END, ":status=200")], " | goaway 0 1");
    check_client(&[frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x88])], " | goaway 0 1");
    check_client(&[frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 1])], " | goaway 0 1");
    check_client(&[frame(DATA, 0, 7, b"x")], " | goaway 0 1");
}

#[test]
fn an_answer_before_the_request_ended() {
    check_client(
        &[headers(5, END, ":status=403"), frame(RST_STREAM, 0, 5, &[0; 4])],
        "5/5 403 end, 5 reset 0 by peer | ",
    );
}
