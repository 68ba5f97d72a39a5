//! Connections that are there before anybody needs them, and as many as the peer's limits need.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulkhead_config::model::Protocol;
use http::Response;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::http2::{connect, get, run};
use crate::scripted::{FINE, Reply, Scripted, await_until};
use crate::support::{address, client, config, read_response, start};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn connections_are_there_before_the_first_request_and_after_a_loss() {
    let upstream = Scripted::start(|number, _| if number == 0 { Reply::Close } else { FINE });
    let mut config = config(upstream.address, Protocol::Http1, 2);
    config.clusters.values_mut().for_each(|cluster| cluster.preconnect = 2);
    let gateway = start(config);
    await_until(|| upstream.opened() == 4);
    let mut client = client(&gateway);
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 502"));
    await_until(|| upstream.opened() == 5);
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    // Nothing more was dialled for the requests.
    assert_eq!(upstream.opened(), 5);
}

#[test]
fn a_worker_that_takes_another_s_place_has_them_too() {
    let upstream = Scripted::start(|_, _| FINE);
    let mut config = config(upstream.address, Protocol::Http1, 1);
    config.clusters.values_mut().for_each(|cluster| cluster.preconnect = 3);
    let gateway = start(config);
    await_until(|| upstream.opened() == 3);
    gateway.kill_worker(0).expect("kill the worker");
    let mut client = client(&gateway);
    for _ in 0..5 {
        client.send(GET);
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    }
    // Those of the dead worker were taken over, and at worst dialled anew meanwhile.
    assert!((3..=6).contains(&upstream.opened()), "{}", upstream.opened());
}

/// An upstream of HTTP/2 that takes one stream per connection, and answers none before it has
/// `connections`.
async fn narrow(connections: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let open = Arc::new(Semaphore::new(0));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if counted.fetch_add(1, Ordering::SeqCst) + 1 == connections {
                open.add_permits(1_000);
            }
            let open = Arc::clone(&open);
            tokio::spawn(async move {
                let mut settings = h2::server::Builder::new();
                settings.max_concurrent_streams(1);
                let Ok(mut connection) = settings.handshake::<_, bytes::Bytes>(socket).await else {
                    return;
                };
                while let Some(Ok((_request, mut answer))) = connection.accept().await {
                    let open = Arc::clone(&open);
                    tokio::spawn(async move {
                        open.acquire().await.expect("an open semaphore").forget();
                        // One that was reset meanwhile needs no answer.
                        let _ = answer.send_response(Response::new(()), true);
                    });
                }
            });
        }
    });
    (address, opened)
}

#[test]
fn a_peer_that_allows_few_streams_gets_more_connections() {
    run(async {
        let (upstream, opened) = narrow(4).await;
        let mut config = config(upstream, Protocol::Http2, 1);
        config.clusters.values_mut().for_each(|cluster| cluster.http2_connections = 4);
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        let mut answers = Vec::new();
        for _ in 0..12 {
            let mut client = client.clone().ready().await.expect("a ready connection");
            answers.push(client.send_request(get("/"), true).expect("a stream").0);
        }
        for answer in answers {
            assert_eq!(answer.await.expect("an answer").status(), 200);
        }
        assert_eq!(opened.load(Ordering::SeqCst), 4);
    });
}
