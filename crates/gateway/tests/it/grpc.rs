//! gRPC: the four kinds of calls, from a client that waits for each answer before it goes on.

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};

use crate::http2::{Client, connect, run};
use crate::support::{address, config, origin, start};

/// A length-prefixed message that asks for a user's feed.
pub(crate) fn request(user: u64) -> Bytes {
    let mut message = Vec::new();
    bulkhead_origin::feed::push_grpc_request(user, &mut message);
    message.into()
}

pub(crate) async fn call(
    client: &Client,
    method: &str,
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    let head = Request::post(format!("http://a.example/feed.v1.Feed/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let mut client = client.clone().ready().await.expect("a ready connection");
    client.send_request(head, false).expect("an open stream")
}

/// The next bytes of the answer, released at once.
pub(crate) async fn next(body: &mut RecvStream) -> Option<Bytes> {
    let piece = body.data().await?.expect("no failure");
    body.flow_control().release_capacity(piece.len()).expect("a live stream");
    Some(piece)
}

pub(crate) async fn rest(body: &mut RecvStream) -> (usize, HeaderMap) {
    let mut bytes = 0;
    while let Some(piece) = next(body).await {
        bytes += piece.len();
    }
    (bytes, body.trailers().await.expect("no failure").expect("trailers"))
}

#[test]
fn all_four_kinds_of_calls_end_with_their_status() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        for (method, messages) in [("Get", 1), ("Watch", 1), ("Upload", 50), ("Chat", 50)] {
            let (response, mut stream) = call(&client, method).await;
            for message in 1..=messages {
                stream.send_data(request(message), message == messages).expect("an open stream");
            }
            let response = response.await.expect("a head");
            assert_eq!(response.status(), 200, "{method}");
            let (bytes, trailers) = rest(&mut response.into_body()).await;
            assert_eq!(trailers["grpc-status"], "0", "{method}");
            assert!(bytes > 0, "{method}");
        }
    });
}

#[test]
fn a_conversation_goes_back_and_forth_and_outlives_its_worker() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 2));
        let client = connect(address(&gateway)).await;
        let (response, mut stream) = call(&client, "Chat").await;
        stream.send_data(request(1), false).expect("an open stream");
        let mut body = response.await.expect("a head").into_body();
        let first = next(&mut body).await.expect("an answer");
        for round in 0..20 {
            gateway.kill_worker(round % 2).expect("kill a worker");
            stream.send_data(request(1), false).expect("an open stream");
            assert_eq!(next(&mut body).await.expect("an answer"), first, "round {round}");
        }
        stream.send_data(Bytes::new(), true).expect("an open stream");
        let (_, trailers) = rest(&mut body).await;
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    });
}
