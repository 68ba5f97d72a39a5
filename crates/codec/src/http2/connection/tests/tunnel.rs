//! CONNECT and extended CONNECT (RFC 9113 §8.5, RFC 8441).

use super::*;
use crate::http2::frame;

fn offering() -> Settings {
    Settings { extended_connect: true, ..Settings::default() }
}

fn pair() -> Pair {
    Pair::with(100_000, &Settings::default(), &offering())
}

fn websocket() -> RequestHead {
    let mut head = get("/chat");
    head.scheme = Scheme::Https;
    head.set_protocol(b"websocket");
    head.fields.push(b"sec-websocket-version", b"13");
    head
}

fn connect() -> RequestHead {
    let mut head = get("");
    head.set_method(b"CONNECT");
    head.set_authority(b"b.example:443");
    head
}

/// What a server says of one request in raw fields.
fn asked(fields: &[(&[u8], &[u8])], settings: &Settings) -> (String, RequestHead) {
    let mut server = Side::new(Role::Server, settings);
    let mut bytes = PREFACE.to_vec();
    frame::write_header(0, frame::SETTINGS, 0, 0, &mut bytes);
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text);
        }
    }
    frame::write_header(block.len(), frame::HEADERS, frame::FLAG_END_HEADERS, 1, &mut bytes);
    bytes.extend_from_slice(&block);
    server.feed(&bytes, 100_000).unwrap();
    let refused = server.out.ends_with(&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(refused, server.log.is_empty());
    (server.take_log(), server.heads.request)
}

const EXTENDED: [(&[u8], &[u8]); 5] = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":path", b"/chat?x"),
    (b":authority", b"a"),
];

#[test]
fn an_extended_connect_is_taken_where_it_is_offered() {
    let (log, head) = asked(&EXTENDED, &offering());
    assert_eq!(log, "1 CONNECT https://a/chat?x");
    assert_eq!((head.protocol(), head.body), (&b"websocket"[..], BodyLength::Unknown));
    assert_eq!(asked(&EXTENDED, &Settings::default()).0, "");
}

#[test]
fn pseudo_fields_of_connects_are_complete_and_no_others() {
    let without =
        |name: &[u8]| EXTENDED.iter().copied().filter(|field| field.0 != name).collect::<Vec<_>>();
    for name in [&b":scheme"[..], b":path", b":method"] {
        assert_eq!(asked(&without(name), &offering()).0, "", "without {name:?}");
    }
    let other_method = EXTENDED.map(|(name, value)| match name {
        b":method" => (name, &b"GET"[..]),
        _ => (name, value),
    });
    assert_eq!(asked(&other_method, &offering()).0, "");
    for bad in [&b""[..], b"web socket", b"a,b"] {
        let fields = EXTENDED.map(|(name, value)| match name {
            b":protocol" => (name, bad),
            _ => (name, value),
        });
        assert_eq!(asked(&fields, &offering()).0, "", "{bad:?}");
    }
    // An ordinary CONNECT is what it was.
    let plain = [EXTENDED[0], EXTENDED[4]];
    assert_eq!(asked(&plain, &offering()).0, "1 CONNECT http://a");
    assert_eq!(asked(&without(b":protocol"), &offering()).0, "");
}

#[test]
fn the_offer_is_made_by_servers_that_have_one() {
    let setting = [0, 8, 0, 0, 0, 1];
    let announced = |role, settings: &Settings| {
        let mut out = Vec::new();
        settings.write(role, &mut out);
        out.windows(6).any(|window| window == setting)
    };
    assert!(announced(Role::Server, &offering()));
    assert!(!announced(Role::Server, &Settings::default()));
    assert!(!announced(Role::Client, &offering()));
}

#[test]
fn a_client_waits_for_the_offer() {
    let mut client = Side::new(Role::Client, &Settings::default());
    let before = client.out.len();
    let open = |client: &mut Side| client.connection.open(&websocket(), false, 0, &mut client.out);
    assert_eq!(open(&mut client), Err(OpenError::SettingsAwaited));
    let mut settings = Vec::new();
    Settings::default().write(Role::Server, &mut settings);
    client.feed(&settings, 100_000).unwrap();
    assert_eq!(open(&mut client), Err(OpenError::NotOffered));
    client.out.truncate(before);
    settings.clear();
    offering().write(Role::Server, &mut settings);
    client.feed(&settings, 100_000).unwrap();
    assert_eq!(open(&mut client), Ok(1));
    // Others need no offer.
    assert_eq!(client.connection.open(&get("/"), true, 0, &mut client.out), Ok(3));
}

#[test]
fn an_offer_is_0_or_1_and_never_taken_back() {
    let told = |values: &[u32]| {
        let mut client = Side::new(Role::Client, &Settings::default());
        values.iter().try_for_each(|value| {
            let mut bytes = Vec::new();
            frame::write_header(6, frame::SETTINGS, 0, 0, &mut bytes);
            bytes.extend_from_slice(&[0, 8]);
            bytes.extend_from_slice(&value.to_be_bytes());
            client.feed(&bytes, 100_000)
        })
    };
    assert_eq!(told(&[0, 0, 1, 1]), Ok(()));
    for wrong in [&[2][..], &[1, 0]] {
        assert_eq!(told(wrong).map_err(|error| error.code), Err(ErrorCode::PROTOCOL_ERROR));
    }
}

#[test]
fn bytes_pass_both_ways_and_each_half_ends_by_itself() {
    for (head, line) in [
        (websocket(), "1 CONNECT https://example.test/chat sec-websocket-version=13"),
        (connect(), "1 CONNECT http://b.example:443"),
    ] {
        let mut pair = pair();
        let id = pair.open(&head, false, 7);
        pair.exchange();
        assert_eq!(pair.server.take_log(), line);
        pair.respond(id, &ok(&[]), false);
        pair.exchange();
        assert_eq!(pair.client.take_log(), "1/7 200");
        let client = &mut pair.client;
        assert_eq!(client.connection.send_data(id, b"ping", true, &mut client.out), Ok(4));
        pair.exchange();
        assert_eq!(pair.server.take_log(), "1 data ping end");
        let server = &mut pair.server;
        assert_eq!(server.connection.send_data(id, b"pong", false, &mut server.out), Ok(4));
        assert_eq!(server.connection.send_data(id, b"", true, &mut server.out), Ok(0));
        pair.exchange();
        assert_eq!(pair.client.take_log(), "1 data pong\n1 data  end");
        assert_eq!(pair.client.connection.active_streams(), 0);
        assert_eq!(pair.server.connection.active_streams(), 0);
    }
}

#[test]
fn a_tunnel_has_no_trailers() {
    // The server's, and the client's.
    for by_client in [false, true] {
        let mut pair = pair();
        let id = pair.open(&websocket(), false, 0);
        pair.exchange();
        pair.respond(id, &ok(&[]), false);
        pair.exchange();
        let (_, _) = (pair.server.take_log(), pair.client.take_log());
        let mut bytes = Vec::new();
        let flags = frame::FLAG_END_HEADERS | frame::FLAG_END_STREAM;
        frame::write_header(5, frame::HEADERS, flags, id, &mut bytes);
        bytes.extend_from_slice(&[0, 1, b'x', 1, b'y']);
        let side = if by_client { &mut pair.server } else { &mut pair.client };
        side.feed(&bytes, 100_000).unwrap();
        assert_eq!(side.take_log(), "1 reset 1 by us");

        let trailers = [("x", "y")].into_iter().collect();
        let side = if by_client { &mut pair.client } else { &mut pair.server };
        let sent = side.connection.send_trailers(id, &trailers, &mut side.out);
        assert!(matches!(sent, Err(SendError::Invalid(_))));
    }
}

#[test]
fn a_refusal_is_an_ordinary_answer() {
    let mut pair = pair();
    let id = pair.open(&websocket(), false, 0);
    pair.exchange();
    pair.respond(id, &ResponseHead::new(403), false);
    let server = &mut pair.server;
    let trailers = [("x", "y")].into_iter().collect();
    server.connection.send_trailers(id, &trailers, &mut server.out).unwrap();
    pair.exchange();
    assert_eq!(pair.client.take_log(), "1/0 403\n1 trailers x=y");
}
