use bulkhead_load::Protocol;

use super::*;

#[test]
fn urls_are_taken_apart() {
    for (url, protocol, authority, endpoint, path) in [
        ("http://a.example", Protocol::Http1, "a.example", "a.example:80", "/"),
        ("http://a.example?x=1", Protocol::Http1, "a.example", "a.example:80", "/?x=1"),
        ("https://a.example/", Protocol::Http1, "a.example", "a.example:443", "/"),
        ("h2://a.example:8443/", Protocol::Http2, "a.example:8443", "a.example:8443", "/"),
        ("ws://a.example/ws", Protocol::WebSocket, "a.example", "a.example:80", "/ws"),
        ("wss://a.example/ws", Protocol::WebSocket, "a.example", "a.example:443", "/ws"),
        ("h2c://127.0.0.1:9/b?c#d", Protocol::Http2, "127.0.0.1:9", "127.0.0.1:9", "/b?c"),
        ("http://[::1]/", Protocol::Http1, "[::1]", "[::1]:80", "/"),
        ("http://[::1]:81/", Protocol::Http1, "[::1]:81", "[::1]:81", "/"),
    ] {
        let target = Target::parse(url).unwrap();
        let mut text = Vec::new();
        target.path.push(&mut Random::new(1), &mut text);
        let seen = &target.endpoint;
        let bracketed = if seen.host.contains(':') { "[::1]" } else { &*seen.host };
        let place = format!("{bracketed}:{}", seen.port);
        assert_eq!(
            (seen.protocol, &*seen.authority, &*place, &*text),
            (protocol, authority, endpoint, path.as_bytes()),
            "{url}"
        );
        let secure = ["https", "h2:", "wss"].iter().any(|scheme| url.starts_with(scheme));
        assert_eq!(seen.tls, secure, "{url}");
        assert!(!seen.host.contains([']', '/']) && url.contains(&seen.host), "{url}");
    }
}

#[test]
fn bad_urls_say_what_to_do() {
    for (url, expected) in [
        ("127.0.0.1:80/", "has no scheme"),
        ("ftp://a/", "`ftp` is no scheme of load; use http://"),
        ("http:///x", "no host"),
        ("http://me@a/x", "no user"),
        ("http://a/x y", "%20"),
        ("http://a/{x", "has no `}`"),
        ("http://a/{x}", "{name:uniform(1,1000)}"),
        ("http://a/{x:uniform(5,4)}", "{name:uniform(1,1000)}"),
    ] {
        let error = format!("{:#}", Target::parse(url).unwrap_err());
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[test]
fn placeholders_stay_within_their_bounds_and_follow_the_seed() {
    let template = Template::parse("/{a:uniform(3,5)}/{b:uniform(7,7)}").unwrap();
    let draw = |seed| {
        let (mut random, mut seen) = (Random::new(seed), Vec::new());
        for _ in 0..100 {
            let mut text = Vec::new();
            template.push(&mut random, &mut text);
            seen.push(String::from_utf8(text).unwrap());
        }
        seen
    };
    let mut seen = draw(1);
    assert_eq!(seen, draw(1));
    assert_ne!(seen, draw(2));
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["/3/7", "/4/7", "/5/7"]);
}
