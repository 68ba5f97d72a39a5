//! What the HTTP/1 codec writes, byte by byte, and what it refuses to write.

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{Heads, OpenError, Role, SendError};
use bulkhead_message::{BodyLength, Fields, RequestHead, ResponseHead};

use BodyLength::{Known, None as NoBody, Unknown};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn request(method: &str, authority: &str, target: &str, body: BodyLength) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_authority(authority.as_bytes());
    head.set_target(target.as_bytes());
    head.body = body;
    head
}

fn open(head: &RequestHead, end: bool) -> Result<String, OpenError> {
    let mut client = Connection::new(Role::Client, &Settings::default());
    let mut out = b"before".to_vec();
    let opened = client.open(head, end, 0, &mut out);
    let written = String::from_utf8(out).unwrap();
    let written = written.strip_prefix("before").unwrap();
    if opened.is_err() {
        assert_eq!(written, "", "half a head was left behind");
        assert_eq!((client.available_streams(), client.must_close()), (1, false));
    }
    opened.map(|_| written.to_owned())
}

#[track_caller]
fn check_request(line: &str, body: BodyLength, end: bool, fields: Pairs<'_>, expect: &str) {
    let [method, authority, target] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let mut head = request(method, authority, target, body);
    for (name, value) in fields {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    let written = open(&head, end).unwrap();
    assert_eq!(written.strip_suffix("\r\n\r\n").unwrap().replace("\r\n", "\n"), expect);
}

#[test]
fn requests() {
    check_request("GET a /x?y", NoBody, true, &[], "GET /x?y HTTP/1.1\nhost: a");
    check_request("OPTIONS a *", NoBody, true, &[], "OPTIONS * HTTP/1.1\nhost: a");
    check_request("CONNECT a:1 ", NoBody, true, &[], "CONNECT a:1 HTTP/1.1\nhost: a:1");
    check_request("brew a /", NoBody, true, &[], "brew / HTTP/1.1\nhost: a");
    let empty_post = "POST / HTTP/1.1\nhost: a\ncontent-length: 0";
    for body in [NoBody, Unknown, Known(0)] {
        check_request("POST a /", body, true, &[], empty_post);
    }
    check_request("DELETE a /", Unknown, true, &[], "DELETE / HTTP/1.1\nhost: a");
    check_request("GET a /", Known(7), false, &[], "GET / HTTP/1.1\nhost: a\ncontent-length: 7");
    let chunked = "PUT / HTTP/1.1\nhost: a\ntransfer-encoding: chunked";
    check_request("PUT a /", Unknown, false, &[], chunked);
}

#[test]
fn framing_and_connection_fields_of_a_request_are_the_codec_s_own() {
    let fields = [
        ("accept", "*/*"),
        ("content-length", "99"),
        ("transfer-encoding", "gzip"),
        ("connection", "upgrade"),
        ("keep-alive", "timeout=5"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAA"),
        ("proxy-connection", "close"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let expect =
        "POST / HTTP/1.1\nhost: a\ncontent-length: 3\naccept: */*\ncookie: a=1\ncookie: b=2";
    check_request("POST a /", Known(3), false, &fields, expect);
    let te = "GET / HTTP/1.1\nhost: a\nconnection: te\nte: trailers";
    check_request("GET a /", NoBody, true, &[("te", "trailers")], te);
}

#[test]
fn requests_that_would_be_two_are_refused() {
    let mut heads = vec![
        request("GET", "a\r\nx: y", "/", NoBody),
        request("GET", "a b", "/", NoBody),
        request("GET", "a", "/ HTTP/1.1\r\nx: y\r\n\r\nGET /", NoBody),
        request("GET", "a", "/\r\n", NoBody),
        request("GET", "a", "/a b", NoBody),
        request("GET", "a", "", NoBody),
        request("GET", "a", "*", NoBody),
        request("GET", "a", "http://b/", NoBody),
        request("G T", "a", "/", NoBody),
        request("GET\r\n", "a", "/", NoBody),
        request("", "a", "/", NoBody),
        request("CONNECT", "", "", NoBody),
        request("POST", "a", "/", Known(1)),
    ];
    for (name, value) in bad_fields() {
        let mut head = request("GET", "a", "/", NoBody);
        head.fields.push(name, value);
        heads.push(head);
    }
    let mut extended = request("CONNECT", "a:1", "", NoBody);
    extended.set_protocol(b"websocket");
    heads.push(extended);
    for head in &heads {
        assert_eq!(open(head, true), Err(OpenError::Closing), "{head:?}");
    }
}

fn bad_fields() -> [(&'static [u8], &'static [u8]); 9] {
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\rb"),
        (b"x", b"a\nb"),
        (b"x", b"a\0b"),
        (b"accept", b"\x7f"),
        (b"x\r\ny", b"z"),
        (b"x y", b"z"),
        (b"Transfer-Encoding", b"chunked"),
        (b"", b"z"),
    ]
}

/// A server that has just decoded this request.
fn server(request: &str) -> Connection {
    let mut server = Connection::new(Role::Server, &Settings::default());
    let mut input = request.as_bytes();
    let event = server.next_event(&mut input, &mut Heads::default(), &mut Vec::new());
    assert!(matches!(event, Ok(Some(_))), "{event:?}");
    server
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const GET_TRAILERS: &str = "GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEEP_ALIVE: &str = "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n";

/// Answers `request` with a head, with `pieces` as body if it is not ended, and trailers.
#[track_caller]
fn check_response(
    request: &str,
    (status, body, fields): (u16, BodyLength, Pairs<'_>),
    (pieces, trailers): (Option<&[&str]>, Option<Pairs<'_>>),
    expect: &str,
) {
    let mut server = server(request);
    let mut head = ResponseHead { body, ..ResponseHead::new(status) };
    head.fields = fields.iter().copied().collect();
    let mut out = Vec::new();
    server.respond(1, &head, pieces.is_none(), &mut out).unwrap();
    for piece in pieces.unwrap_or_default() {
        assert_eq!(server.send_data(1, piece.as_bytes(), false, &mut out), Ok(piece.len()));
    }
    if pieces.is_some() {
        match trailers {
            Some(pairs) => {
                server.send_trailers(1, &pairs.iter().copied().collect(), &mut out).unwrap();
            }
            None => assert_eq!(server.send_data(1, b"", true, &mut out), Ok(0)),
        }
    }
    assert_eq!(server.send_data(1, b"", true, &mut out), Err(SendError::Closed));
    assert_eq!(String::from_utf8(out).unwrap().replace("\r\n", "\n"), expect);
    assert_eq!(server.must_close(), expect.contains("connection: close"));
}

#[test]
fn responses() {
    let ended = (None, None);
    check_response(GET, (200, NoBody, &[]), ended, "HTTP/1.1 200 OK\ncontent-length: 0\n\n");
    check_response(
        GET,
        (404, Unknown, &[]),
        ended,
        "HTTP/1.1 404 Not Found\ncontent-length: 0\n\n",
    );
    check_response(GET, (799, Known(0), &[]), ended, "HTTP/1.1 799 \ncontent-length: 0\n\n");
    let body: (Option<&[&str]>, _) = (Some(&["he", "", "llo"]), None);
    let known = "HTTP/1.1 200 OK\ncontent-length: 5\nx: y\n\nhello";
    check_response(GET, (200, Known(5), &[("x", "y")]), body, known);
    let chunked = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2\nhe\n3\nllo\n0\n\n";
    check_response(GET, (200, Unknown, &[]), body, chunked);
    check_response(GET, (200, NoBody, &[("content-length", "5")]), body, chunked);
    let long: (Option<&[&str]>, _) = (Some(&["0123456789abcdefg"]), None);
    let chunk = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n11\n0123456789abcdefg\n0\n\n";
    check_response(GET, (200, Unknown, &[]), long, chunk);
}

#[test]
fn responses_without_body() {
    let (ended, body): (_, (Option<&[&str]>, _)) = ((None, None), (Some(&["hello"]), None));
    for sent in [ended, body] {
        let length = "HTTP/1.1 200 OK\ncontent-length: 5\n\n";
        check_response(HEAD, (200, Known(5), &[]), sent, length);
        check_response(HEAD, (200, NoBody, &[("content-length", "5")]), sent, length);
        let bad_length = [("content-length", "5, 5")];
        check_response(HEAD, (200, NoBody, &bad_length), sent, "HTTP/1.1 200 OK\n\n");
        check_response(HEAD, (200, Unknown, &[]), sent, "HTTP/1.1 200 OK\n\n");
        check_response(GET, (204, Known(5), &[]), sent, "HTTP/1.1 204 No Content\n\n");
        let unchanged = "HTTP/1.1 304 Not Modified\ncontent-length: 5\n\n";
        check_response(GET, (304, Known(5), &[]), sent, unchanged);
        check_response(CONNECT, (200, NoBody, &[]), ended, "HTTP/1.1 200 OK\n\n");
    }
}

#[test]
fn the_connection_s_fate_is_told() {
    let (ended, body): (_, (Option<&[&str]>, _)) = ((None, None), (Some(&["hello"]), None));
    let closed = "HTTP/1.1 200 OK\ncontent-length: 0\nconnection: close\n\n";
    check_response(CLOSE, (200, NoBody, &[]), ended, closed);
    check_response(OLD, (200, NoBody, &[]), ended, closed);
    let kept = "HTTP/1.1 200 OK\ncontent-length: 0\nconnection: keep-alive\n\n";
    check_response(OLD_KEEP_ALIVE, (200, NoBody, &[]), ended, kept);
    // HTTP/1.0 knows no chunks: the body ends with the connection.
    let until_close = "HTTP/1.1 200 OK\nconnection: close\n\nhello";
    check_response(OLD_KEEP_ALIVE, (200, Unknown, &[]), body, until_close);
    let ours = [("connection", "keep-alive"), ("keep-alive", "timeout=5"), ("upgrade", "h2c")];
    let plain = "HTTP/1.1 200 OK\ncontent-length: 0\n\n";
    check_response(GET, (200, NoBody, &ours), ended, plain);
}

#[test]
fn trailers() {
    let fields: Pairs<'_> = &[("x-sum", "1"), ("cookie", "no"), ("content-length", "9")];
    let body: (Option<&[&str]>, _) = (Some(&["hello"]), Some(fields));
    let start = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n5\nhello\n0\n";
    check_response(GET_TRAILERS, (200, Unknown, &[]), body, &format!("{start}x-sum: 1\n\n"));
    check_response(GET, (200, Unknown, &[]), body, &format!("{start}\n"));
    let known = "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello";
    check_response(GET_TRAILERS, (200, Known(5), &[]), body, known);
    let until_close = "HTTP/1.1 200 OK\nconnection: close\n\nhello";
    check_response(OLD, (200, Unknown, &[]), body, until_close);
}

#[test]
fn trailers_that_cannot_be_written_leave_the_message_open() {
    for (name, value) in bad_fields() {
        let (mut server, mut out) = (server(GET_TRAILERS), Vec::new());
        server.respond(1, &ResponseHead::new(200), false, &mut out).unwrap();
        let before = out.len();
        let trailers: Fields = [(name, value)].into_iter().collect();
        assert!(matches!(server.send_trailers(1, &trailers, &mut out), Err(SendError::Invalid(_))));
        assert_eq!(out.len(), before);
        assert_eq!(server.send_data(1, b"", true, &mut out), Ok(0));
    }
}

#[test]
fn interim_responses() {
    for (request, expect) in [(GET, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), (OLD, "")] {
        let (mut server, mut out) = (server(request), Vec::new());
        let mut head = ResponseHead::new(103);
        head.fields.push(b"link", b"x");
        head.fields.push(b"content-length", b"5");
        assert_eq!(server.respond(1, &head, false, &mut out), Ok(()));
        assert_eq!(String::from_utf8(out).unwrap(), expect);
        assert_eq!(server.respond(1, &ResponseHead::new(200), true, &mut Vec::new()), Ok(()));
    }
}

#[test]
fn an_upgrade_is_the_end_of_http() {
    let asked = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let (mut server, mut out) = (server(asked), Vec::new());
    let mut head = ResponseHead::new(101);
    head.fields.push(b"upgrade", b"websocket");
    assert_eq!(server.respond(1, &head, false, &mut out), Ok(()));
    let expect =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expect);
    assert!(server.is_tunnel() && !server.must_close());
}

#[test]
fn responses_that_cannot_be_written_leave_the_exchange_open() {
    let mut heads = vec![
        ResponseHead::new(0),
        ResponseHead::new(99),
        ResponseHead::new(1000),
        ResponseHead::new(101),
        ResponseHead { body: Known(5), ..ResponseHead::new(200) },
    ];
    for (name, value) in bad_fields() {
        for status in [103, 200] {
            let mut head = ResponseHead::new(status);
            head.fields.push(name, value);
            heads.push(head);
        }
    }
    for head in &heads {
        let (mut server, mut out) = (server(GET), Vec::new());
        assert!(matches!(server.respond(1, head, true, &mut out), Err(SendError::Invalid(_))));
        assert_eq!(out, b"", "half a head was left behind");
        assert!(!server.must_close());
        assert_eq!(server.respond(1, &ResponseHead::new(502), true, &mut out), Ok(()));
        assert_eq!(out, b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    }
}

#[test]
fn calls_out_of_turn() {
    let (mut server, mut out) = (server(GET), Vec::new());
    let early = SendError::Invalid("body before the response head");
    assert_eq!(server.send_data(1, b"x", true, &mut out), Err(early));
    assert_eq!(server.send_data(3, b"x", true, &mut out), Err(SendError::Closed));
    let head = ResponseHead::new(200);
    assert_eq!(server.respond(3, &head, true, &mut out), Err(SendError::Closed));
    assert_eq!(
        server.open(&request("GET", "a", "/", NoBody), true, 0, &mut out),
        Err(OpenError::Closing)
    );
    assert_eq!(server.respond(1, &head, false, &mut out), Ok(()));
    assert_eq!(server.respond(1, &head, false, &mut out), Err(SendError::Closed));
}
