//! What is done to every request: who asked, ids, the spelling of paths, the host.

use std::io::{Read, Write};

use bulkhead_config::Config;
use bulkhead_config::model::{
    AccessLog, ForwardedHeader, ForwardedSource, IdTrust, PathMatch, Protocol, RequestId,
    RouteMatch, Untrusted,
};
use bulkhead_gateway::Gateway;
use bulkhead_message::{EscapedSlashes, Network, PathRules};
use bulkhead_testkit::{Authority, Scratch};
use serde_json::Value;

use crate::http2::{exchange, get, run};
use crate::secure::{connect, trusting, with_tls};
use crate::support::{PATIENCE, address, client, config, origin, read_response, start};

/// Sends a request line and fields; gives the answer's head, and its body as JSON if it is.
fn ask(gateway: &Gateway, target: &str, fields: &str) -> (String, Value) {
    let mut client = client(gateway);
    client.send(format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n"));
    let (head, body) = read_response(&mut client);
    (head, serde_json::from_slice(&body).unwrap_or_default())
}

fn loopback() -> Vec<Network> {
    vec!["127.0.0.0/8".parse().expect("a network")]
}

/// The addresses that the access log names, once the gateway has ended.
fn clients(gateway: &Gateway, log: &std::path::Path) -> Vec<(String, Value)> {
    assert!(gateway.drain(PATIENCE), "nothing is left to be cut off");
    let log = std::fs::read_to_string(log).expect("the log");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|line| (line["client"].as_str().unwrap_or("").to_owned(), line["request_id"].clone()))
        .collect()
}

fn logging(config: &mut Config, scratch: &Scratch) -> std::path::PathBuf {
    let log = scratch.path().join("access.log");
    config.access_log = Some(AccessLog::File(log.clone()));
    log
}

#[test]
fn a_trusted_proxy_says_who_asked() {
    let (origin, scratch) = (origin(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    let log = logging(&mut config, &scratch);
    config.forwarding.trusted_proxies = loopback();
    config.forwarding.untrusted = Untrusted::Replace;
    config.forwarding.via = Some("edge".to_owned());
    config.forwarding.headers.extend([
        ForwardedHeader::XForwardedHost,
        ForwardedHeader::XForwardedPort,
        ForwardedHeader::Forwarded,
    ]);
    let gateway = start(config);
    let claims = "x-forwarded-for: 9.9.9.9, 192.0.2.7, 127.0.0.2\r\nx-forwarded-proto: https\r\n\
                  forwarded: for=6.6.6.6\r\n";
    let (head, told) = ask(&gateway, "/headers", claims);
    assert!(head.contains("via: 1.1 edge\r\n"), "{head}");
    for (name, expect) in [
        ("x-forwarded-for", "9.9.9.9, 192.0.2.7, 127.0.0.2, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=127.0.0.1;host=a.example;proto=https"),
        ("via", "1.1 edge"),
    ] {
        assert_eq!(told[name], serde_json::json!([expect]), "{name}: {told}");
    }
    // Bytes that no address has: the proxy itself is all that is known.
    let hostile = "x-forwarded-for: 9.9.9.9, \"'><\\\u{e9}%00\r\nforwarded: for=\"\r\n";
    let (head, _) = ask(&gateway, "/headers", hostile);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let clients: Vec<_> = clients(&gateway, &log).into_iter().map(|(client, _)| client).collect();
    assert_eq!(clients, ["192.0.2.7", "127.0.0.1"]);
}

#[test]
fn claims_of_strangers_do_not_pass_where_they_are_replaced() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.forwarding.untrusted = Untrusted::Replace;
    config.forwarding.source = ForwardedSource::Forwarded;
    let gateway = start(config);
    let claims = "x-forwarded-for: 9.9.9.9\r\nx-real-ip: 9.9.9.9\r\nforwarded: for=9.9.9.9\r\n\
                  x-forwarded-prefix: /admin\r\nx-kept: 1\r\n";
    let (_, told) = ask(&gateway, "/headers", claims);
    assert_eq!(told["x-forwarded-for"], serde_json::json!(["127.0.0.1"]));
    assert_eq!(told["x-kept"], serde_json::json!(["1"]));
    for name in ["x-real-ip", "forwarded", "x-forwarded-prefix"] {
        assert_eq!(told[name], Value::Null, "{name}");
    }
}

#[test]
fn each_request_has_an_id_that_all_are_told() {
    let (origin, scratch) = (origin(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    let log = logging(&mut config, &scratch);
    config.request_id =
        Some(RequestId { header: "x-trace".to_owned(), trust: IdTrust::TrustedProxies });
    let gateway = start(config);
    let returned = |head: &str| {
        let id = head.lines().find_map(|line| line.strip_prefix("x-trace: "));
        id.expect("an id").to_owned()
    };
    // A stranger's id is not taken over, and `connection` does not strip ours.
    let (head, told) =
        ask(&gateway, "/headers", "x-trace: mine\r\nconnection: keep-alive, x-trace\r\n");
    let first = returned(&head);
    assert_eq!(first.len(), 36);
    assert_eq!(told["x-trace"], serde_json::json!([first]));
    // What the gateway answers itself has one as well.
    let (head, _) = ask(&gateway, "/..", "");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let second = returned(&head);
    assert_ne!(first, second);
    let ids: Vec<_> = clients(&gateway, &log).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [Value::from(first), Value::from(second)]);
}

#[test]
fn what_is_matched_is_what_is_sent() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    let headers = PathMatch::Exact("/headers".to_owned());
    config.routes[0].matches = vec![RouteMatch { path: headers, ..RouteMatch::default() }];
    config.path_normalization =
        Some(PathRules { merge_slashes: true, escaped_slashes: EscapedSlashes::Redirect });
    let mut off = config.clone();
    off.path_normalization = None;
    let gateway = start(config);
    for target in
        ["/headers", "/%68eaders", "/a/../headers", "//headers", "/a/%2e%2e/./headers?a=%2e"]
    {
        let (_, told) = ask(&gateway, target, "");
        let path = told[":path"][0].as_str().expect("a path");
        assert_eq!(path.split('?').next(), Some("/headers"), "{target}: {told}");
    }
    for target in ["/..", "/%00", "/%zz", "/a\\b", "/%2e%2e/headers"] {
        let (head, _) = ask(&gateway, target, "");
        assert!(head.starts_with("HTTP/1.1 400"), "{target}: {head}");
    }
    let (head, _) = ask(&gateway, "/%2Fevil.example/?a=%2F", "");
    assert!(head.starts_with("HTTP/1.1 307"), "{head}");
    assert!(head.contains("location: http://a.example/evil.example/?a=%2F\r\n"), "{head}");
    let gateway = start(off);
    let (head, _) = ask(&gateway, "/%68eaders", "");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[test]
fn hosts_that_are_none_are_refused() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    for (host, status) in [
        ("a.example", "200"),
        ("A.EXAMPLE.:80", "200"),
        ("192.0.2.1:8080", "200"),
        ("[2001:db8::1]:80", "200"),
        ("user@a.example", "400"),
        ("a.example:99999", "400"),
        ("a.example:80:80", "400"),
        ("[2001:db8::1", "400"),
        ("[1.2.3.4]", "400"),
        ("[:::]", "400"),
        ("a b", "400"),
        ("a/b", "400"),
        ("a.example%00", "400"),
        ("", "400"),
    ] {
        let mut client = client(&gateway);
        client.send(format!("GET /headers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        let answer = String::from_utf8(client.read_to_end()).expect("ASCII");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
    // RFC 9112 §3.2.2: the target's authority wins over the field.
    let mut client = client(&gateway);
    client.send("GET http://b.example/headers HTTP/1.1\r\nhost: a.example\r\n\r\n");
    let told: Value = serde_json::from_slice(&read_response(&mut client).1).expect("JSON");
    assert_eq!(told[":authority"], serde_json::json!(["b.example"]));
}

#[test]
fn a_request_for_another_host_than_the_handshake_is_misdirected() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example", "b.example"]);
    config.listeners[0].tls.as_mut().expect("TLS").require_sni_match = true;
    let gateway = start(config);
    let tls = trusting(&authority, &[b"http/1.1"]);
    for (host, status) in [("a.example", "200"), ("A.example:443", "200"), ("b.example", "421")] {
        let mut client = connect(&gateway, &tls, "a.example");
        write!(client, "GET /headers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
            .expect("write");
        let mut answer = [0; 12];
        client.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes(), "{host}");
    }
    // A coalesced HTTP/2 connection goes on after the refusal.
    let tls = trusting(&authority, &[b"h2"]);
    run(async {
        let client = crate::tls_client::connect(address(&gateway), &tls).await;
        let other = http::Request::get("https://b.example/headers").body(()).expect("a request");
        let (head, _, _) = exchange(&client, other, None).await.expect("an answer");
        assert_eq!(head.status(), 421);
        let (head, _, _) = exchange(&client, get("/headers"), None).await.expect("an answer");
        assert_eq!(head.status(), 200);
    });
}
