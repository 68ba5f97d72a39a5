//! Clusters that leave the configuration while they carry requests.

use std::io::{Read, Write};
use std::net::TcpListener;

use bulkhead_config::model::{Config, Filter, FixedResponse, Protocol};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::RawClient;
use bytes::Bytes;

use crate::http2::run;
use crate::support::{PATIENCE, client, config, read_request, read_response, start};

/// No cluster any more: all is answered with `gone`.
fn without_clusters() -> Config {
    let mut config = config(([127, 0, 0, 1], 1).into(), Protocol::Http1, 1);
    config.clusters.clear();
    config.routes[0].backends.clear();
    config.routes[0].filters.push(Filter::Respond(FixedResponse {
        status: 200,
        headers: vec![],
        body: "gone".to_owned(),
    }));
    config
}

fn retire(gateway: &Gateway) {
    gateway.apply(without_clusters()).expect("apply");
    let mut client = client(gateway);
    let gone = (0..10_000).any(|_| {
        client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.read_until(b"\r\n\r\n").windows(17).any(|part| part == b"content-length: 4")
    });
    assert!(gone, "the cluster never left");
}

fn ask(gateway: &Gateway) -> RawClient {
    let mut client = client(gateway);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client
}

#[test]
fn its_connection_closes_after_the_last_answer_over_http1() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = upstream.local_addr().expect("an address");
    let gateway = start(config(address, Protocol::Http1, 1));
    let mut client = ask(&gateway);
    let (mut socket, _) = upstream.accept().expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    read_request(&mut socket);
    retire(&gateway);
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast").expect("answer");
    assert_eq!(read_response(&mut client).1, b"last");
    assert_eq!(socket.read(&mut [0; 64]).expect("an end, not a time-out"), 0);
}

#[test]
fn its_connection_closes_after_the_last_of_several_answers_over_http2() {
    run(async {
        let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = upstream.local_addr().expect("an address");
        let gateway = start(config(address, Protocol::Http2, 1));
        let mut clients = [ask(&gateway), ask(&gateway)];
        let (socket, _) = upstream.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(socket).await.expect("shake hands");
        let mut answers = Vec::new();
        for _ in 0..2 {
            let (_, answer) = connection.accept().await.expect("a request").expect("a stream");
            answers.push(answer);
        }
        retire(&gateway);
        for mut answer in answers {
            let mut body = answer.send_response(http::Response::new(()), false).expect("answer");
            body.send_data(Bytes::from_static(b"last"), true).expect("answer");
        }
        assert!(connection.accept().await.is_none(), "the gateway closes it");
        for client in &mut clients {
            client.read_until(b"last");
        }
    });
}
