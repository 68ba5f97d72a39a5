//! Connections to HTTP/1.1 upstreams that were held because a client was slow, and their next request.

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use http::Request;

use crate::http2::run;
use crate::support::{address, client, config, feed, origin, read_response, start};

/// The client's window is smaller than the answer, and the answer, which comes at once and whole, is
/// larger than what the gateway holds. While it waits, and after it was read, the connection that
/// brought it serves others.
#[test]
fn an_upstream_whose_answer_waits_for_its_client_serves_the_next_one() {
    run(async {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        config.limits.buffer_bytes_max = 1_000;
        config.clusters.values_mut().for_each(|cluster| cluster.connections_max = 1);
        let gateway = start(config);
        let next = |user: u64| {
            let mut other = client(&gateway);
            other.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
            assert_eq!(read_response(&mut other).1, feed(user));
        };
        let socket = tokio::net::TcpStream::connect(address(&gateway)).await.expect("connect");
        let (slow, connection) = h2::client::Builder::new()
            .initial_window_size(10)
            .handshake::<_, Bytes>(socket)
            .await
            .expect("shake hands");
        tokio::spawn(connection);
        for round in 0..3 {
            let mut slow = slow.clone().ready().await.expect("ready");
            let request = Request::get("http://a.example/bytes/5000").body(()).expect("valid");
            let (answer, _) = slow.send_request(request, true).expect("a stream");
            let mut body = answer.await.expect("a head").into_body();
            next(2 * round);
            let mut received = 0;
            while let Some(piece) = body.data().await {
                let count = piece.expect("bytes").len();
                received += count;
                body.flow_control().release_capacity(count).expect("room");
            }
            assert_eq!(received, 5_000);
            next(2 * round + 1);
        }
        assert_eq!(origin.stats().connections(), 1);
    });
}
