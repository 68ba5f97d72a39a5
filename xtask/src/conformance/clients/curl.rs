//! curl: versions of HTTP, their negotiation, and what requests can ask for.

use super::{Check, Client};

pub(super) const CURL: Client = Client {
    name: "curl",
    // With the response's head, interim ones and trailers; quietly.
    always: &["-sS", "-i", "--cacert", "{authority}", "--max-time", "20"],
    version: "--version",
    checks: &CHECKS,
};

const PLAIN: &str = "\r\n\r\n0123456789abcdef\n";
const THREE: &str = "\r\n\r\none two three\n";

/// The handshake of RFC 6455 §1.3.
const WEBSOCKET: [&str; 8] = [
    "-H",
    "connection: upgrade",
    "-H",
    "upgrade: websocket",
    "-H",
    "sec-websocket-version: 13",
    "-H",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];
/// An upload whose answer is compared with it, and what is said of it.
const UPLOAD: [&str; 5] = ["--no-include", "-o", "{answer}", "-w", "%{http_code} %{http_version}"];

const CHECKS: [Check; 27] = [
    Check::new("HTTP/1.0", &["--http1.0", "{http}/scripted/plain"], &["HTTP/1.1 200", PLAIN]),
    Check::new(
        "HTTP/1.0: a chunked body becomes one until the close",
        &["--http1.0", "{http}/scripted/chunked"],
        &["HTTP/1.1 200", THREE],
    )
    .without(&["transfer-encoding", "content-length"]),
    Check::new(
        "HTTP/1.1: a length stays a length",
        &["--http1.1", "{http}/scripted/plain"],
        &["HTTP/1.1 200", "content-length: 17\r\n", PLAIN],
    ),
    Check::new(
        "HTTP/1.1: chunks stay chunks",
        &["--http1.1", "{http}/scripted/chunked"],
        &["HTTP/1.1 200", "transfer-encoding: chunked\r\n", THREE],
    ),
    Check::new(
        "HTTP/1.1: one connection for three requests",
        &[
            "--http1.1",
            "-w",
            "%{num_connects};",
            "{http}/scripted/plain",
            "{http}/scripted/chunked",
            "{http}/api/v1/7/feed",
        ],
        &["1;HTTP/1.1 200", "0;HTTP/1.1 200"],
    ),
    Check::new(
        "HTTP/1.1 with TLS",
        &["--http1.1", "{https}/scripted/plain"],
        &["HTTP/1.1 200", PLAIN],
    ),
    Check::new(
        "HTTP/2 with prior knowledge",
        &["--http2-prior-knowledge", "{http}/scripted/plain"],
        &["HTTP/2 200", "content-length: 17\r\n", PLAIN],
    ),
    Check::new(
        "HTTP/2 by ALPN",
        &["--http2", "-w", "%{http_version};", "{https}/scripted/chunked"],
        &["HTTP/2 200", THREE, "2;"],
    )
    .without(&["transfer-encoding"]),
    // Not with prior knowledge: curl 7.88 fails so with any server.
    Check::new(
        "HTTP/2: 50 requests at once on one connection",
        &[
            "-Z",
            "--parallel-max",
            "50",
            "-w",
            "%{stderr}%{http_code} %{http_version} %{num_connects};",
            "-o",
            "/dev/null",
            "{https}/api/v1/[1-50]/feed",
        ],
        &["200 2 1;", "200 2 0;"],
    )
    .without(&["502", "503", "000"]),
    Check::new(
        "`upgrade: h2c` is not taken up",
        &["--http2", "{http}/scripted/plain"],
        &["HTTP/1.1 200", PLAIN],
    )
    .without(&["HTTP/1.1 101", "HTTP/2"]),
    Check::new(
        "HEAD: the length without the body",
        &["--http1.1", "-I", "{http}/scripted/plain"],
        &["HTTP/1.1 200", "content-length: 17\r\n"],
    )
    .without(&["0123456789"]),
    Check::new(
        "HEAD over HTTP/2",
        &["--http2-prior-knowledge", "-I", "{http}/scripted/plain"],
        &["HTTP/2 200", "content-length: 17\r\n"],
    )
    .without(&["0123456789"]),
    Check::new(
        "a range",
        &["-r", "4-7", "{http}/scripted/plain"],
        &["HTTP/1.1 206", "content-range: bytes 4-7/17\r\n", "\r\n\r\n4567"],
    ),
    Check::new(
        "a compressed body is passed on as it is",
        &["--compressed", "{https}/scripted/gzip"],
        &["content-encoding: gzip\r\n", "content-length: 33\r\n", "gzipped, gzipped, gzipped\n"],
    ),
    Check::new(
        "304 without a body",
        &["-w", "%{num_connects};", "{http}/scripted/not-modified", "{http}/scripted/plain"],
        &["HTTP/1.1 304", "etag: \"1\"\r\n", "0;", PLAIN],
    ),
    Check::new(
        "trailers for a client that takes them",
        &["--http1.1", "-H", "te: trailers", "-H", "connection: te", "{http}/scripted/chunked"],
        &[THREE, "x-sum: 14\r\n"],
    ),
    Check::new(
        "no trailers for one that does not",
        &["--http1.1", "{http}/scripted/chunked"],
        &[THREE],
    )
    .without(&["x-sum: 14"]),
    Check::new(
        "trailers over HTTP/2",
        &["--http2-prior-knowledge", "-H", "te: trailers", "{http}/scripted/chunked"],
        &[THREE, "x-sum: 14\r\n"],
    ),
    Check::new(
        "early hints",
        &["--http1.1", "{http}/scripted/hints"],
        &["HTTP/1.1 103", "link: </style.css>; rel=preload\r\n", "HTTP/1.1 200", PLAIN],
    ),
    Check::new(
        "early hints over HTTP/2",
        &["--http2", "{https}/scripted/hints"],
        &["HTTP/2 103", "link: </style.css>; rel=preload\r\n", "HTTP/2 200", PLAIN],
    ),
    Check::new(
        "an upload that waits for 100",
        &[
            "--no-include",
            "--http1.1",
            "-v",
            "-H",
            "expect: 100-continue",
            "--data-binary",
            "@{file}",
            "-o",
            "{answer}",
            "{http}/echo",
        ],
        &["< HTTP/1.1 100 Continue", "< HTTP/1.1 200"],
    ),
    Check::new(
        "a chunked upload from HTTP/1.1 to HTTP/1.1",
        &[
            "-X",
            "POST",
            "-H",
            "transfer-encoding: chunked",
            "-T",
            "{file}",
            "--http1.1",
            "{http}/http1/echo",
        ],
        &["200 1.1"],
    )
    .with(&UPLOAD),
    Check::new(
        "an upload from HTTP/2 to HTTP/2, with TLS",
        &["--data-binary", "@{file}", "{https}/echo"],
        &["200 2"],
    )
    .with(&UPLOAD),
    Check::new(
        "an upload from HTTP/2 to HTTP/1.1",
        &["--http2-prior-knowledge", "--data-binary", "@{file}", "{http}/http1/echo"],
        &["200 2"],
    )
    .with(&UPLOAD),
    Check::new(
        "a path with dots is sent on in its one spelling",
        &["--path-as-is", "{http}/x/../scripted/./plain"],
        &["HTTP/1.1 200", PLAIN],
    ),
    // It shows the handshake, and then waits for what never comes.
    Check::new(
        "the handshake of a WebSocket, to HTTP/1.1",
        &["-N", "--http1.1", "--max-time", "1", "{http}/http1/ws"],
        &["HTTP/1.1 101", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"],
    )
    .with(&WEBSOCKET)
    .ends_with(28),
    Check::new(
        "a WebSocket to an HTTP/2 upstream that offers none",
        &["--http1.1", "{http}/ws"],
        &["HTTP/1.1 503"],
    )
    .with(&WEBSOCKET),
];
