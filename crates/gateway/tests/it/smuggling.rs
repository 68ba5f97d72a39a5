//! Requests that two readers could take for different ones. What must hold: nothing reaches the
//! upstream, or exactly one request that can be read in one way only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bulkhead_config::model::Protocol;
use bulkhead_testkit::RawClient;

use crate::support::{client, config, start};

/// What may be seen at the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// Not a byte.
    Nothing,
    /// No request that is whole: its body went wrong after its head was passed on.
    NoneWhole,
    /// One whole request and not a byte more.
    One,
}

/// An upstream that keeps every byte it receives, by connection.
struct Recorder {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    records: Arc<Mutex<Vec<Vec<u8>>>>,
    thread: JoinHandle<()>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let records: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (stopped, kept) = (stop.clone(), records.clone());
        let thread = std::thread::spawn(move || {
            let mut readers = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let kept = kept.clone();
                readers.push(std::thread::spawn(move || {
                    let record = answer_all(stream);
                    kept.lock().expect("no panic before").push(record);
                }));
            }
            for reader in readers {
                reader.join().expect("what came can be read in one way only");
            }
        });
        Self { address, stop, records, thread }
    }

    /// Every connection's bytes. Call it when the gateway is gone: its connections are closed then.
    fn finish(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        self.thread.join().expect("the recorder ends well");
        std::mem::take(&mut *self.records.lock().expect("no panic before"))
    }
}

/// Answers each whole request with `ok`, until the peer closes.
fn answer_all(mut stream: TcpStream) -> Vec<u8> {
    let (mut record, mut answered) = (Vec::new(), 0);
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        record.extend_from_slice(&chunk[..count]);
        let (whole, _) = requests(&record);
        for _ in answered..whole.len() {
            // A gateway that does not want the answer has closed.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        answered = whole.len();
    }
    record
}

/// The heads of the whole requests in `bytes`, read as strictly as possible, and how many bytes are
/// left over. Fails the test on anything that is not beyond doubt.
fn requests(mut bytes: &[u8]) -> (Vec<String>, usize) {
    let mut whole = Vec::new();
    loop {
        let Some(end) = find(bytes, b"\r\n\r\n") else { return (whole, bytes.len()) };
        let head = std::str::from_utf8(&bytes[..end]).expect("an ASCII head").to_owned();
        let mut lines = head.split("\r\n");
        let start = lines.next().expect("a request line");
        let parts: Vec<_> = start.split(' ').collect();
        assert!(parts.len() == 3 && parts[2] == "HTTP/1.1" && parts[1].starts_with('/'), "{head}");
        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a field");
            let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!(!name.is_empty() && name.bytes().all(token), "{head}");
            assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{head}");
            if name.eq_ignore_ascii_case("content-length") {
                assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{head}");
                assert_eq!(length.replace(value.parse::<usize>().expect("a length")), None);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                assert!(value == "chunked" && !chunked, "{head}");
                chunked = true;
            }
        }
        assert!(!(chunked && length.is_some()), "{head}");
        let body = &bytes[end + 4..];
        let used = if chunked { chunks(body) } else { Some(length.unwrap_or(0)) };
        match used.filter(|used| *used <= body.len()) {
            None => return (whole, bytes.len()),
            Some(used) => bytes = &body[used..],
        }
        whole.push(head);
    }
}

/// Length of a chunked body without extensions and trailers; `None` while it is not whole.
fn chunks(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = find(&body[at..], b"\r\n")?;
        let size = std::str::from_utf8(&body[at..at + line]).expect("an ASCII size");
        let size = usize::from_str_radix(size, 16).expect("a bare size");
        at += line + 2 + size + 2;
        assert_eq!(body.get(at - 2..at)?, b"\r\n", "a chunk ends where it says");
        if size == 0 {
            return Some(at);
        }
    }
}

fn find(bytes: &[u8], marker: &[u8]) -> Option<usize> {
    bytes.windows(marker.len()).position(|window| window == marker)
}

/// Puts `attack` before a gateway of its own and looks at what came out at its other side.
fn check(name: &str, expect: Expect, attack: impl FnOnce(&mut RawClient)) {
    let recorder = Recorder::start();
    let gateway = start(config(recorder.address, Protocol::Http1, 1));
    let mut client = client(&gateway);
    attack(&mut client);
    let metrics = gateway.registry().render();
    gateway.shutdown();
    let is_counted = metrics.lines().any(|line| {
        [
            "bulkhead_protocol_errors_total{",
            "bulkhead_stream_errors_total{",
            "bulkhead_failures_total{",
        ]
        .iter()
        .any(|counter| line.starts_with(counter))
    });
    assert!(is_counted || expect == Expect::One, "{name}: the metrics do not tell");
    let records = recorder.finish();
    let seen: Vec<_> = records.iter().map(|record| requests(record)).collect();
    let whole: usize = seen.iter().map(|(whole, _)| whole.len()).sum();
    let left: usize = seen.iter().map(|(_, left)| left).sum();
    let text: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(record)).collect();
    let holds = match expect {
        Expect::Nothing => (whole, left) == (0, 0),
        Expect::NoneWhole => whole == 0,
        Expect::One => (whole, left) == (1, 0),
    };
    assert!(holds, "{name}: {expect:?}, but there came {text:?}");
}

/// Over HTTP/1.1. The first answer's status is `status`; nothing but `4xx` may follow a refusal.
fn check_http1(name: &str, request: &str, status: &str, expect: Expect) {
    check(name, expect, |client| {
        client.send(request);
        client.finish();
        let answer = String::from_utf8(client.read_to_end()).expect("ASCII");
        assert!(answer.starts_with(status), "{name}: {answer}");
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{name}: more than one answer: {answer}");
    });
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn lengths_that_can_be_read_in_two_ways_are_refused() {
    for (name, fields) in [
        ("CL.TE", "content-length: 6\r\ntransfer-encoding: chunked\r\n"),
        ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"),
        ("TE.TE", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
        ("chunked twice", "transfer-encoding: chunked, chunked\r\n"),
        ("chunked is not last", "transfer-encoding: chunked, gzip\r\n"),
        ("unknown coding", "transfer-encoding: xchunked\r\n"),
        ("coding in quotes", "transfer-encoding: \"chunked\"\r\n"),
        ("vertical tab before the coding", "transfer-encoding: \u{b}chunked\r\n"),
        ("two lengths", "content-length: 0\r\ncontent-length: 36\r\n"),
        ("a list of lengths", "content-length: 0, 36\r\n"),
        ("+", "content-length: +36\r\n"),
        ("-", "content-length: -1\r\n"),
        ("hexadecimal", "content-length: 0x24\r\n"),
        ("space within", "content-length: 3 6\r\n"),
        ("empty", "content-length:\r\n"),
        ("too large", "content-length: 18446744073709551652\r\n"),
        ("space before the colon", "content-length : 36\r\n"),
        ("coding with space before the colon", "transfer-encoding : chunked\r\n"),
        ("folded", "x: y\r\n content-length: 36\r\n"),
        ("folded coding", "transfer-encoding:\r\n chunked\r\n"),
        ("bare LF", "x: y\ncontent-length: 36\r\n"),
        ("bare CR", "x: y\rcontent-length: 36\r\n"),
        ("NUL", "x: y\0\r\n"),
        ("no name", ": y\r\n"),
        ("two hosts", "host: b\r\n"),
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n0\r\n\r\n{SMUGGLED}");
        // Neither space may stand in a name: 400. Codings that are not known: 501 (RFC 9112 §6.1).
        check(name, Expect::Nothing, |client| {
            client.send(request);
            client.finish();
            let answer = String::from_utf8(client.read_to_end()).expect("ASCII");
            let refused = ["HTTP/1.1 400", "HTTP/1.1 501"].iter().any(|s| answer.starts_with(s));
            assert!(refused && answer.matches("HTTP/1.1 ").count() == 1, "{name}: {answer}");
        });
    }
}

#[test]
fn chunks_that_can_be_read_in_two_ways_are_never_a_whole_request() {
    for (name, body) in [
        ("no size", "\r\n\r\n"),
        ("0x", "0x0\r\n\r\n"),
        ("sign", "+0\r\n\r\n"),
        ("minus", "-1\r\n\r\n"),
        ("overflow", "10000000000000000\r\n\r\n"),
        ("longer than its size", "1\r\nab\r\n0\r\n\r\n"),
        ("bare LF after the size", "0\n\n"),
        ("bare LF in an extension", "1;a\nb\r\nx\r\n0\r\n\r\n"),
        ("bare CR in an extension", "1;a\rb\r\nx\r\n0\r\n\r\n"),
        ("LF after the chunk", "1\r\nx\n0\r\n\r\n"),
    ] {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        check(name, Expect::NoneWhole, |client| {
            client.send(format!("{head}{body}{SMUGGLED}"));
            client.finish();
            let answer = String::from_utf8(client.read_to_end()).expect("ASCII");
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{name}: {answer}");
        });
    }
}

#[test]
fn what_is_odd_but_clear_reaches_the_upstream_once_and_tidied() {
    let post = "POST / HTTP/1.1\r\nhost: a\r\n";
    for (name, rest) in [
        ("equal lengths by name in other case", "Content-LENGTH: 2\r\n\r\nab"),
        ("space around a length", "content-length: \t2 \r\n\r\nab"),
        ("coding in other case", "transfer-encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        ("extensions", "transfer-encoding: chunked\r\n\r\n2;a=\"b\"\r\nab\r\n0;c\r\n\r\n"),
        ("zeros before the size", "transfer-encoding: chunked\r\n\r\n0002\r\nab\r\n0\r\n\r\n"),
    ] {
        check_http1(name, &format!("{post}{rest}"), "HTTP/1.1 200", Expect::One);
    }
}

/// A frame (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request on stream 1, each field as a literal without Huffman coding (RFC 7541 §6.2.2).
pub(crate) fn http2_request(fields: &[(&str, &str)], body: Option<&str>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "a length of one byte");
            block.push(text.len() as u8);
            block.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    bytes.extend(frame(1, 4 | u8::from(body.is_none()), 1, &block));
    if let Some(body) = body {
        bytes.extend(frame(0, 1, 1, body.as_bytes()));
    }
    bytes
}

/// Sends it and reads until stream 1 is over, by its end, a reset, or GOAWAY.
pub(crate) fn until_over(client: &mut RawClient, bytes: &[u8]) {
    client.send(bytes);
    loop {
        let head = client.read_exact(9);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        client.read_exact(length);
        let (kind, flags, stream) = (head[3], head[4], head[8]);
        let ended = stream == 1 && (kind == 3 || (kind < 2 && flags & 1 == 1));
        if ended || kind == 7 {
            return;
        }
    }
}

#[test]
fn nothing_from_http2_breaks_out_of_an_http1_head() {
    let get = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    let with = |place: usize, value| {
        let mut fields = get.to_vec();
        fields[place].1 = value;
        fields
    };
    let and = |name, value| {
        let mut fields = get.to_vec();
        fields.push((name, value));
        fields
    };
    for (name, fields) in [
        ("CRLF in a method", with(0, "GET / HTTP/1.1\r\nx: y\r\n\r\nGET")),
        ("space in a method", with(0, "GET /smuggled")),
        ("CRLF in an authority", with(2, "a\r\nx: y")),
        ("space in an authority", with(2, "a b")),
        ("slash in an authority", with(2, "a/smuggled")),
        ("user in an authority", with(2, "b@a")),
        ("space in a path", with(3, "/smuggled HTTP/1.1")),
        ("CRLF in a path", with(3, "/ HTTP/1.1\r\nx: y")),
        ("a path that is none", with(3, "smuggled")),
        ("an empty path", with(3, "")),
        ("CRLF in a value", and("x", "y\r\ncontent-length: 36")),
        ("LF in a value", and("x", "y\ncontent-length: 36")),
        ("CR in a value", and("x", "y\rz")),
        ("NUL in a value", and("x", "y\0z")),
        ("colon in a name", and("x: y", "z")),
        ("CRLF in a name", and("x\r\ny", "z")),
        ("space in a name", and("content-length ", "36")),
        ("upper case in a name", and("Content-Length", "36")),
        ("an empty name", and("", "z")),
        ("transfer-encoding", and("transfer-encoding", "chunked")),
        ("connection", and("connection", "content-length")),
        ("te other than trailers", and("te", "chunked")),
        ("two lengths", [and("content-length", "0"), vec![("content-length", "36")]].concat()),
        ("a signed length", and("content-length", "+0")),
        ("two paths", and(":path", "/smuggled")),
        ("an unknown pseudo-field", and(":smuggled", "yes")),
        ("a pseudo-field after a field", [vec![("x", "y")], get.to_vec()].concat()),
        ("a host that differs", and("host", "b")),
    ] {
        let bytes = http2_request(&fields, None);
        check(name, Expect::Nothing, |client| until_over(client, &bytes));
    }
}

#[test]
fn a_length_that_http2_framing_belies_is_never_a_whole_request() {
    for (name, length, body) in [("too short", "2", "abc"), ("too long", "4", "abc")] {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/"),
            ("content-length", length),
        ];
        let bytes = http2_request(&fields, Some(body));
        check(name, Expect::NoneWhole, |client| until_over(client, &bytes));
    }
}

#[test]
fn a_body_from_http2_is_no_request() {
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    let bytes = http2_request(&fields, Some(SMUGGLED));
    check("without length", Expect::One, |client| until_over(client, &bytes));
    let length = SMUGGLED.len().to_string();
    let fields = [fields.as_slice(), &[("content-length", &length)]].concat();
    let bytes = http2_request(&fields, Some(SMUGGLED));
    check("with length", Expect::One, |client| until_over(client, &bytes));
}
