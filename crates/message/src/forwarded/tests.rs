use super::*;

fn texts(nodes: impl Iterator<Item = Option<IpAddr>>) -> String {
    let texts: Vec<_> = nodes
        .map(|node| node.map_or_else(|| "-".to_owned(), |address| address.to_string()))
        .collect();
    texts.join(" ")
}

#[track_caller]
fn check_x(values: &[&str], expect: &str) {
    let fields: Fields = values.iter().map(|value| ("x-forwarded-for", value)).collect();
    assert_eq!(texts(x_forwarded_for(&fields)), expect);
}

#[track_caller]
fn check(values: &[&str], expect: &str) {
    let fields: Fields = values.iter().map(|value| ("forwarded", value)).collect();
    assert_eq!(texts(forwarded_for(&fields)), expect);
}

#[test]
fn x_forwarded_for_is_read_from_the_right() {
    check_x(&[], "");
    check_x(&["10.0.0.1"], "10.0.0.1");
    check_x(&["10.0.0.1, 10.0.0.2", "10.0.0.3"], "10.0.0.3 10.0.0.2 10.0.0.1");
    check_x(&["2001:db8::1,[2001:db8::2]:80,[2001:db8::3]"], "2001:db8::3 2001:db8::2 2001:db8::1");
    check_x(&["10.0.0.1:80"], "10.0.0.1");
    check_x(&["::ffff:10.0.0.1"], "10.0.0.1");
    check_x(&["unknown, _secret, , 1.2.3, 10.0.0.1:99999"], "- - - - -");
}

#[test]
fn forwarded_is_read_with_its_quotes() {
    check(&["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17 192.0.2.43");
    check(&["For=\"[2001:db8:cafe::17]:4711\";proto=http;by=203.0.113.43"], "2001:db8:cafe::17");
    check(&["for=\"192.0.2.43:_odd\"", "for=\"[2001:db8::1]:_x\""], "2001:db8::1 192.0.2.43");
    check(&["for=_gazonk", "for=unknown", "proto=http"], "- - -");
    check(&["host=\"a,b;for=1.1.1.1\";for=192.0.2.1"], "-");
    check(&["host=\"a,b\";for=192.0.2.1"], "192.0.2.1");
    check(&["host=\"\\\",\";for=192.0.2.1, for=192.0.2.2"], "192.0.2.2 192.0.2.1");
}

#[test]
fn what_is_forged_is_no_address() {
    check(&["for=10.0.0.1;for=10.0.0.2"], "-");
    check(&["for"], "-");
    check(&["for=\"10.0.0.1, for=10.0.0.2"], "-");
    check(&[",,"], "- - -");
    check(&[&"for=1.1.1.1,".repeat(500)], &format!("-{}", " 1.1.1.1".repeat(63)));
}

#[test]
fn an_element_says_client_host_and_scheme() {
    let element = |client: &str, host: &str| {
        let mut out = Vec::new();
        push_forwarded(client.parse().ok(), host.as_bytes(), "https", &mut out);
        String::from_utf8(out).expect("ASCII")
    };
    assert_eq!(element("192.0.2.1", "a.example"), "for=192.0.2.1;host=a.example;proto=https");
    assert_eq!(element("2001:db8::1", "a:80"), "for=\"[2001:db8::1]\";host=\"a:80\";proto=https");
    assert_eq!(element("", "a\"b"), "for=unknown;proto=https");
}

#[test]
fn the_scheme_is_what_the_nearest_proxy_says_in_one_word() {
    let x = |values: &[&str]| {
        x_forwarded_proto(&values.iter().map(|value| ("x-forwarded-proto", value)).collect())
    };
    assert_eq!(x(&["https"]), Some(true));
    assert_eq!(x(&["HTTP"]), Some(false));
    assert_eq!(
        (x(&[]), x(&["https, http"]), x(&["https", "http"]), x(&["ftp"])),
        (None, None, None, None)
    );
    let standard = |value: &str| forwarded_proto(&[("forwarded", value)].into_iter().collect());
    assert_eq!(standard("for=a;proto=http, for=10.0.0.1;proto=https"), Some(true));
    assert_eq!(standard("for=a;proto=https, for=10.0.0.1"), None);
    assert_eq!(standard("proto=https;proto=http"), None);
}
