//! HTTP/1.1 downstream.

use bulkhead_config::model::Protocol;

use crate::support::{client, config, feed, origin, read_response, start};

#[test]
fn a_request_is_answered_and_the_connection_goes_on() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let gateway = start(config(origin.addr(), protocol, 1));
        let mut client = client(&gateway);
        for user in [7, 8, 9] {
            client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n"));
            let (head, body) = read_response(&mut client);
            assert!(head.starts_with("HTTP/1.1 200"), "{protocol:?}: {head}");
            assert_eq!(body, feed(user));
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    let mut requests = String::new();
    for user in 0..20 {
        requests += &format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n");
    }
    client.send(requests);
    for user in 0..20 {
        assert_eq!(read_response(&mut client).1, feed(user));
    }
}
