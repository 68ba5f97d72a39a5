use bulkhead_config::model::Config;

use super::*;

fn forwarding(yaml: &str) -> Forwarding {
    let file = format!(
        "listeners: [{{address: \"127.0.0.1:1\"}}]\nroutes: [{{backends: [a]}}]\n\
         clusters: {{a: {{endpoints: [\"127.0.0.1:2\"]}}}}\nforwarding: {yaml}\n"
    );
    let config: Config =
        bulkhead_config::parse(&file, "test.yaml").expect("a configuration").config;
    Forwarding::new(&config.forwarding)
}

fn fields(text: &str) -> Fields {
    text.lines().filter_map(|line| line.split_once(": ")).collect()
}

/// Peer and fields → client, `s` for TLS, `t` for trusted.
#[track_caller]
fn check_origin(yaml: &str, peer: &str, claims: &str, expect: &str) {
    let origin = forwarding(yaml).origin(&fields(claims), peer.parse().ok(), false);
    let client = origin.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
    let flags = (if origin.secure { "s" } else { "" }, if origin.trusted { "t" } else { "" });
    assert_eq!(format!("{client} {}{}", flags.0, flags.1).trim_end(), expect, "{claims}");
}

#[test]
fn the_client_is_the_nearest_hop_that_is_not_believed() {
    let none = "{}";
    check_origin(none, "192.0.2.1", "x-forwarded-for: 1.1.1.1", "192.0.2.1");
    let networks = "{trusted_proxies: [10.0.0.0/8]}";
    check_origin(networks, "192.0.2.1", "x-forwarded-for: 1.1.1.1", "192.0.2.1");
    check_origin(networks, "10.0.0.1", "", "10.0.0.1 t");
    check_origin(networks, "10.0.0.1", "x-forwarded-for: 9.9.9.9, 1.1.1.1", "1.1.1.1 t");
    check_origin(networks, "10.0.0.1", "x-forwarded-for: 1.1.1.1, 10.0.0.2", "1.1.1.1 t");
    check_origin(networks, "10.0.0.1", "x-forwarded-for: 10.0.0.3, 10.0.0.2", "10.0.0.3 t");
    check_origin(networks, "10.0.0.1", "x-forwarded-for: 1.1.1.1, unknown", "10.0.0.1 t");
    check_origin(
        networks,
        "10.0.0.1",
        "x-forwarded-for: 1.1.1.1\nx-forwarded-proto: https",
        "1.1.1.1 st",
    );
    check_origin(networks, "192.0.2.1", "x-forwarded-proto: https", "192.0.2.1");
    check_origin(networks, "10.0.0.1", "forwarded: for=1.1.1.1;proto=https", "10.0.0.1 t");
}

#[test]
fn hops_are_believed_by_number() {
    let two = "{trusted_hops: 2}";
    check_origin(two, "192.0.2.1", "x-forwarded-for: 9.9.9.9, 1.1.1.1, 2.2.2.2", "1.1.1.1 t");
    check_origin(two, "192.0.2.1", "x-forwarded-for: 2.2.2.2", "2.2.2.2 t");
    check_origin(two, "-", "x-forwarded-for: 1.1.1.1, 2.2.2.2", "1.1.1.1 t");
    check_origin("{}", "-", "x-forwarded-for: 1.1.1.1", "-");
}

#[test]
fn the_standard_field_may_be_the_source() {
    let standard = "{trusted_hops: 1, source: forwarded}";
    check_origin(
        standard,
        "10.0.0.1",
        "forwarded: for=\"[2001:db8::1]:9\";proto=https",
        "2001:db8::1 st",
    );
    check_origin(standard, "10.0.0.1", "forwarded: for=_hidden", "10.0.0.1 t");
    check_origin(
        standard,
        "10.0.0.1",
        "x-forwarded-for: 1.1.1.1\nx-forwarded-proto: https",
        "10.0.0.1 t",
    );
}

#[track_caller]
fn check(yaml: &str, peer: &str, authority: &str, before: &str, expect: &str) {
    let forwarding = forwarding(yaml);
    let mut head = RequestHead::new();
    head.fields = fields(before);
    let origin = forwarding.origin(&head.fields, peer.parse().ok(), false);
    let (peer, peer_text, authority) = (peer.parse().ok(), peer.as_bytes(), authority.as_bytes());
    forwarding.tell(&mut head, &Hop { peer, peer_text, origin, authority });
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let lines: Vec<_> =
        head.fields.iter().map(|f| format!("{}: {}", text(f.name), text(f.value))).collect();
    assert_eq!(lines.join("\n"), expect);
}

#[test]
fn by_default_the_address_is_appended_and_the_scheme_is_ours() {
    check("{}", "1.1.1.1", "", "", "x-forwarded-for: 1.1.1.1\nx-forwarded-proto: http");
    check(
        "{}",
        "1.1.1.1",
        "",
        "x-forwarded-for: 2.2.2.2\nx-forwarded-for: junk\nx-forwarded-proto: https\nx-real-ip: 3",
        "x-real-ip: 3\nx-forwarded-for: 2.2.2.2, junk, 1.1.1.1\nx-forwarded-proto: http",
    );
}

#[test]
fn claims_of_strangers_can_be_replaced() {
    let all = "{untrusted: replace, trusted_proxies: [10.0.0.0/8], via: edge, headers: \
               [x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-forwarded-port, forwarded]}";
    let claims = "x-forwarded-for: 9.9.9.9\nx-forwarded-host: evil\nx-forwarded-port: 1\n\
                  x-forwarded-prefix: /x\nx-real-ip: 8.8.8.8\nforwarded: for=9.9.9.9\na: b";
    check(
        all,
        "2001:db8::1",
        "a.example:8080",
        claims,
        "a: b\nx-forwarded-for: 2001:db8::1\nx-forwarded-proto: http\n\
         x-forwarded-host: a.example:8080\nx-forwarded-port: 8080\n\
         forwarded: for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http\nvia: 1.1 edge",
    );
    // A proxy that is believed speaks for one family only.
    check(
        all,
        "10.0.0.1",
        "inner",
        claims,
        "x-forwarded-host: evil\nx-forwarded-port: 1\nx-forwarded-prefix: /x\nx-real-ip: 8.8.8.8\n\
         a: b\nx-forwarded-for: 9.9.9.9, 10.0.0.1\nx-forwarded-proto: http\n\
         forwarded: for=10.0.0.1;host=inner;proto=http\nvia: 1.1 edge",
    );
}

#[test]
fn a_port_that_is_not_named_is_that_of_the_scheme() {
    assert_eq!(port_of(b"a", false), b"80");
    assert_eq!(port_of(b"a:", true), b"443");
    assert_eq!(port_of(b"[2001:db8::1]", true), b"443");
    assert_eq!(port_of(b"[2001:db8::1]:81", true), b"81");
    assert_eq!(port_of(b"", true), b"443");
}
