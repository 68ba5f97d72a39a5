use std::net::SocketAddr;

use crate::model::{Config, Protocol};

/// The upstream's protocol, name in TLS and endpoint, or the error's first line and suggestion.
#[track_caller]
fn check(upstream: &str, expect: &str) {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let found = match Config::quick(listen, upstream, Some(2)) {
        Ok(config) => {
            assert_eq!(config.workers, Some(2));
            assert_eq!(config.listeners[0].address, listen.into());
            let cluster = &config.clusters[&config.routes[0].backends[0].cluster];
            let tls = cluster.tls.as_ref().and_then(|tls| tls.server_name.clone());
            format!("{:?} {tls:?} {:?}", cluster.protocol, cluster.endpoints[0].address)
        }
        Err(error) => {
            assert!(error.to_string().contains("`h2c`"), "the schemes are listed: {error}");
            format!("{} -> {}", error.message, error.suggestion.unwrap_or_default())
        }
    };
    assert_eq!(found, expect, "{upstream}");
}

#[test]
fn schemes() {
    check("http://127.0.0.1:9000", "Http1 None Socket(127.0.0.1:9000)");
    check("http://a.b", "Http1 None Name { host: \"a.b\", port: 80 }");
    check("https://a.b/", "Http1 Some(\"a.b\") Name { host: \"a.b\", port: 443 }");
    check("h2c://[::1]", "Http2 None Socket([::1]:80)");
    check("H2://127.0.0.1:8443", "Http2 Some(\"127.0.0.1\") Socket(127.0.0.1:8443)");
}

#[test]
fn wrong_upstreams() {
    check("127.0.0.1:9000", "the upstream `127.0.0.1:9000` has no scheme -> http://127.0.0.1:9000");
    check("a b", "the upstream `a b` has no scheme -> ");
    check("htp://a:1", "the upstream has an unknown scheme `htp` -> http://a:1");
    check("ftp://a:1", "the upstream has an unknown scheme `ftp` -> ");
    check("grpc://a:1", "the upstream has an unknown scheme `grpc` -> ");
    check("http://a/b", "the upstream `http://a/b` has a path -> ");
    check("http://a:b", "`a:b` is not an address and port -> ");
    check("http://", "the empty text is not an address or name -> ");
    check("http://me:word@a", "the upstream's URL has user information, which is never sent -> ");
}

#[test]
fn protocols_are_both() {
    let config = Config::quick("127.0.0.1:0".parse().unwrap(), "h2c://a:1", None).unwrap();
    assert_eq!(config.listeners[0].protocols, [Protocol::Http1, Protocol::Http2]);
    assert_eq!(config.workers, None);
}
