//! What HTTP/2 costs a proxy for each request: decode a request, encode it towards the upstream, decode
//! the response, encode it towards the downstream. The peers' own work is not in the figures. A figure is
//! for one batch of `BATCH` requests, as one read brings them.
//!
//! `cargo bench -p bulkhead-codec --bench http2`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bulkhead_codec::http2::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role, StreamId};
use bulkhead_message::{Fields, RequestHead, ResponseHead};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BATCH: u64 = 32;

/// One end of a connection, with what it has to say.
struct End {
    connection: Connection,
    heads: Heads,
    out: Vec<u8>,
}

impl End {
    fn new(role: Role) -> Self {
        let settings = Settings { stream_window_bytes: 1 << 20, ..Settings::default() };
        let mut connection = Connection::new(role, &settings);
        let mut out = Vec::with_capacity(1 << 20);
        connection.start(&mut out);
        Self { connection, heads: Heads::default(), out }
    }

    /// Takes all of `bytes` without reacting, but releases data.
    fn swallow(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(Some(event)) =
            self.connection.next_event(&mut rest, &mut self.heads, &mut self.out)
        {
            if let Event::Data { stream, flow_bytes, .. } = event {
                self.connection.release(stream, flow_bytes, &mut self.out);
            }
        }
        assert!(rest.is_empty());
    }
}

/// What travels.
struct Traffic {
    request: RequestHead,
    request_body: &'static [u8],
    response: ResponseHead,
    response_body: Vec<u8>,
    trailers: Option<Fields>,
}

fn feed() -> Traffic {
    let mut request = RequestHead::new();
    request.fields = [
        ("user-agent", "bulkhead-load/0.1"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("x-request-id", "7f2c1c1e-5a3b-4e0e-9c57-0d7c2e6f1a11"),
    ]
    .into_iter()
    .collect();
    request.set_target(b"/api/v1/839274/feed");
    request.set_authority(b"feed.example.com");
    let mut response = ResponseHead::new(200);
    response.fields = [
        ("content-type", "application/json"),
        ("content-length", "1024"),
        ("date", "Tue, 24 Nov 2026 03:00:00 GMT"),
        ("server", "feed"),
        ("cache-control", "no-store"),
    ]
    .into_iter()
    .collect();
    let response_body = vec![b'x'; 1_024];
    Traffic { request, request_body: b"", response, response_body, trailers: None }
}

fn grpc() -> Traffic {
    let mut request = RequestHead::new();
    request.fields = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "grpc-go/1.70.0"),
        ("grpc-timeout", "999m"),
    ]
    .into_iter()
    .collect();
    request.set_method(b"POST");
    request.set_target(b"/feed.v1.Feed/Get");
    request.set_authority(b"feed.example.com");
    let mut response = ResponseHead::new(200);
    response.fields = [("content-type", "application/grpc")].into_iter().collect();
    let trailers = [("grpc-status", "0")].into_iter().collect();
    let response_body = vec![b'x'; 128];
    Traffic {
        request,
        request_body: b"\0\0\0\0\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        response,
        response_body,
        trailers: Some(trailers),
    }
}

struct Proxy {
    client: End,
    downstream: End,
    upstream: End,
    origin: End,
}

impl Proxy {
    fn new() -> Self {
        let mut proxy = Self {
            client: End::new(Role::Client),
            downstream: End::new(Role::Server),
            upstream: End::new(Role::Client),
            origin: End::new(Role::Server),
        };
        for _ in 0..2 {
            let bytes = std::mem::take(&mut proxy.client.out);
            proxy.downstream.swallow(&bytes);
            let bytes = std::mem::take(&mut proxy.downstream.out);
            proxy.client.swallow(&bytes);
            let bytes = std::mem::take(&mut proxy.upstream.out);
            proxy.origin.swallow(&bytes);
            let bytes = std::mem::take(&mut proxy.origin.out);
            proxy.upstream.swallow(&bytes);
        }
        proxy
    }

    /// The proxy's way there: downstream's bytes become upstream's.
    #[inline(never)]
    fn forward(&mut self, bytes: &[u8]) {
        let Self { downstream, upstream, .. } = self;
        let mut rest = bytes;
        loop {
            let End { connection, heads, out } = downstream;
            let event = connection.next_event(&mut rest, heads, out);
            let Some(event) = event.expect("the client keeps the rules") else { break };
            match event {
                Event::Request { stream, end } => {
                    let head = &downstream.heads.request;
                    let tag = u64::from(stream);
                    let id = upstream.connection.open(head, end, tag, &mut upstream.out);
                    downstream.connection.set_tag(stream, u64::from(id.unwrap_or(0)));
                }
                Event::Data { stream, tag, bytes, flow_bytes, end } => {
                    let id = tag as StreamId;
                    let sent = upstream.connection.send_data(id, bytes, end, &mut upstream.out);
                    assert_eq!(sent, Ok(bytes.len()));
                    downstream.connection.release(stream, flow_bytes, &mut downstream.out);
                }
                _ => {}
            }
        }
        assert!(rest.is_empty());
    }

    /// And back.
    #[inline(never)]
    fn back(&mut self, bytes: &[u8]) {
        let Self { downstream, upstream, .. } = self;
        let mut rest = bytes;
        while let Ok(Some(event)) =
            upstream.connection.next_event(&mut rest, &mut upstream.heads, &mut upstream.out)
        {
            let out = &mut downstream.out;
            match event {
                Event::Response { tag, end, .. } => {
                    let head = &upstream.heads.response;
                    assert!(downstream.connection.respond(tag as StreamId, head, end, out).is_ok());
                }
                Event::Data { stream, tag, bytes, flow_bytes, end } => {
                    let sent = downstream.connection.send_data(tag as StreamId, bytes, end, out);
                    assert_eq!(sent, Ok(bytes.len()));
                    upstream.connection.release(stream, flow_bytes, &mut upstream.out);
                }
                Event::Trailers { tag, .. } => {
                    let trailers = &upstream.heads.trailers;
                    let sent = downstream.connection.send_trailers(tag as StreamId, trailers, out);
                    assert!(sent.is_ok());
                }
                _ => {}
            }
        }
        assert!(rest.is_empty());
    }

    /// One batch through all four; gives the time that the proxy alone took.
    fn batch(&mut self, traffic: &Traffic) -> Duration {
        let mut requests = std::mem::take(&mut self.client.out);
        for _ in 0..BATCH {
            let end = traffic.request_body.is_empty();
            let client = &mut self.client.connection;
            let id = client.open(&traffic.request, end, 0, &mut requests);
            if let (Ok(id), false) = (id, end) {
                assert!(client.send_data(id, traffic.request_body, true, &mut requests).is_ok());
            }
        }
        let begun = Instant::now();
        self.forward(black_box(&requests));
        let mut spent = begun.elapsed();

        let bytes = std::mem::take(&mut self.upstream.out);
        let responses = self.answer(&bytes, traffic);
        let begun = Instant::now();
        self.back(black_box(&responses));
        spent += begun.elapsed();

        let bytes = std::mem::take(&mut self.downstream.out);
        self.client.swallow(&bytes);
        assert_eq!(self.client.connection.active_streams(), 0);
        // Window updates go on their way; the buffers serve the next batch.
        let bytes = std::mem::replace(&mut self.upstream.out, responses);
        self.upstream.out.clear();
        self.origin.swallow(&bytes);
        self.downstream.out = requests;
        self.downstream.out.clear();
        spent
    }

    fn answer(&mut self, mut bytes: &[u8], traffic: &Traffic) -> Vec<u8> {
        let End { connection, heads, out } = &mut self.origin;
        while let Ok(Some(event)) = connection.next_event(&mut bytes, heads, out) {
            let stream = match event {
                Event::Request { stream, end: true } => stream,
                Event::Data { stream, flow_bytes, end, .. } => {
                    connection.release(stream, flow_bytes, out);
                    if !end {
                        continue;
                    }
                    stream
                }
                _ => continue,
            };
            assert!(connection.respond(stream, &traffic.response, false, out).is_ok());
            let end = traffic.trailers.is_none();
            assert!(connection.send_data(stream, &traffic.response_body, end, out).is_ok());
            if let Some(trailers) = &traffic.trailers {
                assert!(connection.send_trailers(stream, trailers, out).is_ok());
            }
        }
        std::mem::take(out)
    }
}

fn proxy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("proxy");
    group.throughput(Throughput::Elements(BATCH));
    for (name, traffic) in [("feed", feed()), ("grpc", grpc())] {
        let mut proxy = Proxy::new();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| proxy.batch(&traffic)).sum());
        });
    }
    group.finish();
}

/// HPACK with as little else as the face allows: heads without bodies, Huffman off and on.
fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heads");
    group.throughput(Throughput::Elements(BATCH));
    let head = feed().request;
    for (name, huffman) in [("plain", false), ("huffman", true)] {
        let settings = Settings { huffman, ..Settings::default() };
        let mut encoder = Connection::new(Role::Client, &settings);
        let mut decoder = End::new(Role::Server);
        let mut out = Vec::new();
        encoder.start(&mut out);
        decoder.swallow(&out);
        let mut encode = |decoder: &mut End, rounds: u64| {
            let mut encoding = Duration::ZERO;
            let mut decoding = Duration::ZERO;
            for _ in 0..rounds {
                out.clear();
                let begun = Instant::now();
                let mut last = 0;
                for _ in 0..BATCH {
                    last = encoder.open(black_box(&head), true, 0, &mut out).unwrap_or(0);
                }
                encoding += begun.elapsed();
                let begun = Instant::now();
                decoder.swallow(black_box(&out));
                decoding += begun.elapsed();
                // Both sides forget the streams, so that neither runs full.
                let mut sink = Vec::new();
                let first = last + 2 - 2 * BATCH as StreamId;
                for id in (first..=last).step_by(2) {
                    encoder.reset(id, bulkhead_codec::ErrorCode::CANCEL, &mut sink);
                    decoder.connection.reset(id, bulkhead_codec::ErrorCode::CANCEL, &mut sink);
                }
            }
            (encoding, decoding)
        };
        group.bench_function(format!("encode {name}"), |bencher| {
            bencher.iter_custom(|rounds| encode(&mut decoder, rounds).0);
        });
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter_custom(|rounds| encode(&mut decoder, rounds).1);
        });
    }
    group.finish();
}

criterion_group!(benches, proxy, heads);
criterion_main!(benches);
