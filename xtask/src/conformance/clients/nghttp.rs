//! nghttp and h2load, of nghttp2: frames that other clients do not send, and many streams at once.

use super::{Check, Client};

pub(super) const NGHTTP: Client = Client {
    name: "nghttp",
    // The certificate is nobody's that it knows.
    always: &["-y", "-t", "20"],
    version: "--version",
    checks: &NGHTTP_CHECKS,
};

pub(super) const H2LOAD: Client =
    Client { name: "h2load", always: &[], version: "--version", checks: &H2LOAD_CHECKS };

const NGHTTP_CHECKS: [Check; 8] = [
    Check::new(
        "prior knowledge: a body and its trailers",
        &["-v", "-H", "te: trailers", "{http}/scripted/chunked"],
        &[":status: 200", "one ", "two three", "x-sum: 14"],
    ),
    Check::new(
        "by ALPN",
        &["-v", "{https}/scripted/plain"],
        &["The negotiated protocol: h2", "0123456789abcdef\n"],
    ),
    Check::new(
        "a head in CONTINUATION frames",
        &["-v", "--continuation", "-n", "{http}/scripted/plain"],
        &["continuation-test-6: ", ":status: 200"],
    ),
    Check::new(
        "frames with padding, and an upload without a length",
        &["-v", "-n", "-b", "200", "--no-content-length", "-d", "{file}", "{http}/echo"],
        &["PADDED", ":status: 200"],
    )
    .without(&["RST_STREAM frame <"]),
    Check::new(
        "trailers of a request",
        &["-v", "-n", "-d", "{file}", "--trailer", "x-sum: 1", "{http}/echo"],
        &["x-sum: 1", ":status: 200"],
    ),
    Check::new(
        "an upload that waits for 100",
        &["-v", "-n", "--expect-continue", "-d", "{file}", "{https}/echo"],
        &[":status: 100", ":status: 200"],
    ),
    Check::new(
        "small windows",
        &["-v", "-w", "10", "-W", "12", "-n", "-m", "20", "{http}/bytes/65536"],
        &["SETTINGS_INITIAL_WINDOW_SIZE(0x04):1023", ":status: 200", "END_STREAM"],
    )
    .without(&["FLOW_CONTROL_ERROR"]),
    Check::new(
        "`upgrade: h2c` is not taken up",
        &["-v", "-u", "{http}/scripted/plain"],
        &["HTTP/1.1 200", "HTTP Upgrade failed"],
    ),
];

const H2LOAD_CHECKS: [Check; 4] = [
    Check::new(
        "HTTP/2: 2000 requests, 4 connections, 20 streams each",
        &["-n", "2000", "-c", "4", "-m", "20", "{http}/api/v1/7/feed"],
        &["2000 succeeded, 0 failed, 0 errored, 0 timeout", "2000 2xx, 0 3xx, 0 4xx, 0 5xx"],
    ),
    Check::new(
        "HTTP/2 with TLS",
        &["-n", "1000", "-c", "4", "-m", "20", "{https}/scripted/plain"],
        &["1000 succeeded, 0 failed, 0 errored, 0 timeout", "1000 2xx, 0 3xx, 0 4xx, 0 5xx"],
    ),
    Check::new(
        "HTTP/1.1: pipelined requests",
        &["--h1", "-n", "1000", "-c", "4", "-m", "8", "{http}/api/v1/7/feed"],
        &["1000 succeeded, 0 failed, 0 errored, 0 timeout", "1000 2xx, 0 3xx, 0 4xx, 0 5xx"],
    ),
    Check::new(
        "HTTP/2: uploads of 2 MiB",
        &["-n", "40", "-c", "2", "-m", "10", "-d", "{file}", "{http}/echo"],
        &["40 succeeded, 0 failed, 0 errored, 0 timeout", "40 2xx, 0 3xx, 0 4xx, 0 5xx"],
    ),
];
