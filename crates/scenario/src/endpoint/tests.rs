use super::*;

#[test]
fn urls_of_every_scheme_are_read() {
    for (url, expected) in [
        ("http://a", ("a", 80, false, Protocol::Http1, "/")),
        ("HTTPS://a.b:8443?x=1", ("a.b", 8443, true, Protocol::Http1, "/?x=1")),
        ("h2c://[::1]:9000/a/b#c", ("::1", 9000, false, Protocol::Http2, "/a/b")),
        ("h2://a/", ("a", 443, true, Protocol::Http2, "/")),
    ] {
        let (endpoint, path) = Endpoint::parse(url).unwrap();
        let host = endpoint.host.as_str();
        let found = (host, endpoint.port, endpoint.tls, endpoint.protocol, path.as_str());
        assert_eq!(found, expected, "{url}");
    }
}

#[test]
fn others_are_refused_with_a_remedy() {
    for (url, expected) in [
        ("127.0.0.1:80", EndpointError::NoScheme),
        ("ftp://a", EndpointError::Scheme("ftp".to_owned())),
        ("http://", EndpointError::NoHost),
        ("http://:80", EndpointError::NoHost),
        ("http://me@a", EndpointError::Host),
        ("http://[::1", EndpointError::Host),
        ("http://[::1]x", EndpointError::Host),
        ("http://a:0", EndpointError::Port),
        ("http://a:+1", EndpointError::Port),
        ("http://a:1:2", EndpointError::Port),
    ] {
        let found = Endpoint::parse(url).unwrap_err();
        assert!(!found.remedy().is_empty());
        assert_eq!(found, expected, "{url}");
    }
}

#[test]
fn files_name_http_servers_only() {
    assert_eq!(Endpoint::parse("ws://a/"), Err(EndpointError::Scheme("ws".to_owned())));
    let (endpoint, path) = Endpoint::parse_any("wss://a.example/x").unwrap();
    assert_eq!((endpoint.protocol, endpoint.tls, endpoint.port), (Protocol::WebSocket, true, 443));
    assert_eq!(path, "/x");
}
