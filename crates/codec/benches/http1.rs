//! CPU time of one HTTP/1.1 exchange in the codec alone: `cargo bench -p bulkhead-codec --bench http1`.
//!
//! `httparse` is measured beside it on the same request: bare (slices into the input, what it was made
//! for) and with the work that any user of ours has to add to it (names in lower case and classified,
//! values copied, host and framing checked).

use std::hint::black_box;

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role};
use bulkhead_message::{BodyLength, Known, RequestHead, ResponseHead};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const REQUEST: &[u8] = b"GET /api/v1/4711/feed?limit=20&after=9f8e7d6c HTTP/1.1\r\n\
    Host: feed.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: application/json, text/plain, */*\r\n\
    Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://feed.example.com/home\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    X-Request-Id: 7b0c1c9e-52a0-4c8e-9d0a-0f5f2b1d3a77\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 0\r\n\
    Date: Tue, 24 Nov 2026 03:00:00 GMT\r\n\
    Cache-Control: private, max-age=0\r\n\
    Etag: \"5f3b-9c\"\r\n\
    Vary: Accept-Encoding\r\n\r\n";

fn server(heads: &mut Heads, connection: &mut Connection, head: &ResponseHead, out: &mut Vec<u8>) {
    let mut input = black_box(REQUEST);
    if let Ok(Some(Event::Request { stream, .. })) = connection.next_event(&mut input, heads, out) {
        let _ = connection.respond(stream, head, true, out);
    }
    black_box(&*out);
    out.clear();
}

fn client(heads: &mut Heads, connection: &mut Connection, head: &RequestHead, out: &mut Vec<u8>) {
    let _ = connection.open(head, true, 0, out);
    let mut input = black_box(RESPONSE);
    let _ = black_box(connection.next_event(&mut input, heads, out));
    out.clear();
}

/// What a head parser that hands out slices leaves to its user.
fn httparse_into_head(head: &mut RequestHead) {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(black_box(REQUEST)).is_ok_and(|status| status.is_complete()) {
        return;
    }
    head.clear();
    head.set_method(request.method.unwrap_or_default().as_bytes());
    head.set_target(request.path.unwrap_or_default().as_bytes());
    let mut host = None;
    for header in request.headers.iter() {
        let mut name = [0; 64];
        let Some(name) = name.get_mut(..header.name.len()) else { return };
        name.copy_from_slice(header.name.as_bytes());
        name.make_ascii_lowercase();
        match Known::of(name) {
            Known::Host => host = Some(header.value),
            known => head.fields.push_classified(known, name, header.value, false),
        }
    }
    if let Some(host) = host.filter(|host| bulkhead_message::is_host(host)) {
        head.set_authority(host);
    }
    head.body = BodyLength::None;
}

fn exchange(criterion: &mut Criterion) {
    let (mut heads, mut out) = (Heads::default(), Vec::new());
    let settings = Settings::default();

    let mut group = criterion.benchmark_group("http1");
    group.throughput(Throughput::Elements(1));
    let mut connection = Connection::new(Role::Server, &settings);
    let empty = ResponseHead::new(204);
    group.bench_function("server: decode request, respond 204", |bencher| {
        bencher.iter(|| server(&mut heads, &mut connection, &empty, &mut out));
    });
    let mut input = RESPONSE;
    let mut decoder = Connection::new(Role::Client, &settings);
    let mut request = RequestHead::new();
    request.set_authority(b"feed.example.com");
    request.set_target(b"/api/v1/4711/feed?limit=20&after=9f8e7d6c");
    let _ = decoder.open(&request, true, 0, &mut out);
    let _ = decoder.next_event(&mut input, &mut heads, &mut out);
    out.clear();
    let typical = heads.response.clone();
    group.bench_function("server: decode request, respond 200 with 6 fields", |bencher| {
        bencher.iter(|| server(&mut heads, &mut connection, &typical, &mut out));
    });
    let full = heads.request.clone();
    let mut connection = Connection::new(Role::Client, &settings);
    group.bench_function("client: encode request of 8 fields, decode response", |bencher| {
        bencher.iter(|| client(&mut heads, &mut connection, &full, &mut out));
    });
    let mut head = RequestHead::new();
    group.bench_function("httparse: request into a head", |bencher| {
        bencher.iter(|| httparse_into_head(black_box(&mut head)));
    });
    group.bench_function("httparse: request into slices", |bencher| {
        bencher.iter(|| {
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut headers);
            black_box(request.parse(black_box(REQUEST)).is_ok())
        });
    });
    group.finish();
}

fn chunks(criterion: &mut Criterion) {
    let mut body = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        body.extend_from_slice(b"400\r\n");
        body.extend_from_slice(&[b'x'; 1024]);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    let (mut heads, mut out) = (Heads::default(), Vec::new());
    let mut connection = Connection::new(Role::Server, &Settings::default());
    let head = ResponseHead::new(204);
    let mut group = criterion.benchmark_group("http1");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("server: decode 64 chunks of 1 KiB", |bencher| {
        bencher.iter(|| {
            let mut input = black_box(body.as_slice());
            while let Ok(Some(event)) = connection.next_event(&mut input, &mut heads, &mut out) {
                if let Event::Data { stream, end: true, .. } = event {
                    let _ = connection.respond(stream, &head, true, &mut out);
                }
            }
            out.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, exchange, chunks);
criterion_main!(benches);
