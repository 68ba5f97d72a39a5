use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn tunnels(upgrades: &[&str], connect: bool) -> Tunnels {
    Tunnels { upgrades: upgrades.iter().map(|&token| token.to_owned()).collect(), connect }
}

fn http1(method: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_target(b"/chat");
    head.fields = fields.iter().copied().collect();
    head
}

fn websocket() -> RequestHead {
    http1("GET", &[("connection", "upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-key", KEY)])
}

fn extended(protocol: &str) -> RequestHead {
    let mut head = http1("CONNECT", &[("sec-websocket-key", "whatever")]);
    head.version = Version::Http2;
    head.set_protocol(protocol.as_bytes());
    head.body = BodyLength::Unknown;
    unify(&mut head);
    assert_eq!(head.method(), Method::Get);
    head
}

/// Kind and protocol of the tunnel, `ordinary`, or the status of the refusal.
fn outcome(head: &mut RequestHead, allowed: &Tunnels) -> String {
    match asked(head, allowed, || [7; 16]) {
        Ok(None) => "ordinary".to_owned(),
        Ok(Some(tunnel)) => {
            format!("{} {}", tunnel.kind.as_str(), String::from_utf8_lossy(head.protocol()))
        }
        Err(failure) => failure.status().to_string(),
    }
}

#[test]
fn upgrades_are_ordinary_requests_where_they_are_not_allowed() {
    let both = tunnels(&["websocket", "foo/1"], false);
    let none = tunnels(&[], true);
    assert_eq!(outcome(&mut websocket(), &both), "websocket WebSocket");
    assert_eq!(outcome(&mut websocket(), &none), "ordinary");
    assert_eq!(outcome(&mut websocket(), &tunnels(&["foo/1"], false)), "ordinary");
    let list = [("connection", "Upgrade"), ("upgrade", "h2c, FOO/1, websocket")];
    assert_eq!(outcome(&mut http1("POST", &list), &both), "other FOO/1");
    assert_eq!(outcome(&mut http1("POST", &list), &tunnels(&["websocket"], false)), "ordinary");
    assert_eq!(outcome(&mut http1("GET", &[("upgrade", "foo/1")]), &both), "ordinary");

    let mut old = websocket();
    old.version = Version::Http10;
    assert_eq!(outcome(&mut old, &both), "ordinary");
    for (body, expect) in [
        (BodyLength::Known(0), "websocket WebSocket"),
        (BodyLength::Known(1), "ordinary"),
        (BodyLength::Unknown, "ordinary"),
    ] {
        let mut head = websocket();
        head.body = body;
        assert_eq!(outcome(&mut head, &both), expect, "{body:?}");
    }
}

#[test]
fn connects_are_refused_where_they_are_not_allowed() {
    let connect = || http1("CONNECT", &[]);
    assert_eq!(outcome(&mut connect(), &tunnels(&[], true)), "connect ");
    assert_eq!(outcome(&mut connect(), &tunnels(&["websocket"], false)), "501");
    let websockets = tunnels(&["websocket", "foo/1"], true);
    assert_eq!(outcome(&mut extended("websocket"), &websockets), "websocket websocket");
    assert_eq!(outcome(&mut extended("websocket"), &tunnels(&[], true)), "501");
    assert_eq!(outcome(&mut extended("foo/1"), &websockets), "501");
}

#[test]
fn a_key_is_sixteen_bytes_in_base64_once() {
    for (keys, expect) in [
        (&[KEY][..], "websocket websocket"),
        (&[], "400"),
        (&[KEY, KEY], "400"),
        (&["dGhlIHNhbXBsZSBub25jZQ"], "400"),
        (&["dGhlIHNhbXBsZSBub25jZQ=!"], "400"),
        (&["dGhlIHNhbXBsZSBub25jZXh5"], "400"),
    ] {
        let mut head = http1("GET", &[("connection", "upgrade"), ("upgrade", "websocket")]);
        for key in keys {
            head.fields.push(KEY_FIELD, key.as_bytes());
        }
        assert_eq!(outcome(&mut head, &tunnels(&["websocket"], false)), expect, "{keys:?}");
    }
}

fn tunnel(client_http2: bool) -> Tunnel {
    let mut head = if client_http2 { extended("websocket") } else { websocket() };
    let asked = asked(&mut head, &tunnels(&["websocket"], false), || [7; 16]);
    asked.expect("allowed").expect("a tunnel")
}

#[test]
fn keys_are_for_http1_upstreams_only() {
    let mut head = websocket();
    tunnel(false).prepare_request(&mut head, false);
    assert_eq!(head.fields.get_named(KEY_FIELD), Some(KEY.as_bytes()));
    tunnel(false).prepare_request(&mut head, true);
    assert_eq!(head.fields.get_named(KEY_FIELD), None);
    // Another attempt may go to an upstream of the other protocol.
    tunnel(false).prepare_request(&mut head, false);
    assert_eq!(head.fields.get_named(KEY_FIELD), Some(KEY.as_bytes()));

    let mut head = extended("websocket");
    tunnel(true).prepare_request(&mut head, false);
    assert_eq!(head.fields.get_named(KEY_FIELD), Some(&b"BwcHBwcHBwcHBwcHBwcHBw=="[..]));
}

fn answer(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
    let mut head = ResponseHead::new(status);
    head.fields = fields.iter().copied().collect();
    head
}

fn verdict(client_http2: bool, head: &ResponseHead, upstream_http2: bool) -> &'static str {
    match tunnel(client_http2).judge(head, b"websocket", upstream_http2) {
        Verdict::Agreed => "agreed",
        Verdict::Refused => "refused",
        Verdict::Broken(failure) => failure.detail,
    }
}

#[test]
fn an_http1_upstream_agrees_with_the_protocol_that_was_asked_for() {
    let switch = |to: &'static str, accept: &str| {
        answer(101, &[("connection", "upgrade"), ("upgrade", to), ("sec-websocket-accept", accept)])
    };
    let own = accept_value(b"BwcHBwcHBwcHBwcHBwcHBw==");
    assert_eq!(verdict(false, &switch("WebSocket", ACCEPT), false), "agreed");
    // Whether the key is right is the client's to see.
    assert_eq!(verdict(false, &switch("websocket", "x"), false), "agreed");
    assert_eq!(verdict(true, &switch("websocket", &own), false), "agreed");
    let wrong = "the upstream's sec-websocket-accept is wrong";
    assert_eq!(verdict(true, &switch("websocket", ACCEPT), false), wrong);
    let other = "the upstream switched to another protocol than it was asked to";
    assert_eq!(verdict(false, &switch("h2c", ACCEPT), false), other);
    assert_eq!(verdict(false, &switch("websocket, foo", ACCEPT), false), other);
    assert_eq!(verdict(false, &answer(101, &[("upgrade", "websocket")]), false), other);
    assert_eq!(verdict(false, &answer(101, &[]), false), other);
}

#[test]
fn other_answers_are_ordinary_unless_they_look_like_an_agreement() {
    for status in [300, 400, 403, 426, 500] {
        for (client, upstream) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(verdict(client, &answer(status, &[]), upstream), "refused");
        }
    }
    assert_eq!(verdict(false, &answer(200, &[]), false), "refused");
    let broken = "the upstream did not switch protocols";
    assert_eq!(verdict(true, &answer(200, &[]), false), broken);
    assert_eq!(verdict(true, &answer(200, &[]), true), "agreed");
    assert_eq!(verdict(false, &answer(204, &[]), true), "agreed");
}

#[test]
fn connect_is_agreed_to_by_2xx() {
    let connect = asked(&mut http1("CONNECT", &[]), &tunnels(&[], true), || [7; 16]);
    let connect = connect.expect("allowed").expect("a tunnel");
    assert_eq!(connect.judge(&answer(200, &[]), b"", false), Verdict::Agreed);
    assert_eq!(connect.judge(&answer(407, &[]), b"", false), Verdict::Refused);
    assert!(matches!(connect.judge(&answer(101, &[]), b"", false), Verdict::Broken(_)));
    let mut head = answer(204, &[("content-length", "5"), ("via", "x")]);
    connect.prepare_response(&mut head, b"", false);
    assert_eq!((head.status, head.fields.len()), (200, 1));
}

#[test]
fn agreements_are_made_fit_for_the_client() {
    let fields = [("sec-websocket-protocol", "chat"), ("sec-websocket-extensions", "x")];
    let with_accept = [fields[0], fields[1], ("sec-websocket-accept", "of the upstream")];
    for (client_http2, upstream_http2, from, status, accept) in [
        (false, false, answer(101, &with_accept), 101, Some("of the upstream")),
        (false, true, answer(200, &fields), 101, Some(ACCEPT)),
        (true, false, answer(101, &with_accept), 200, None),
        (true, true, answer(200, &fields), 200, None),
    ] {
        let mut head = from;
        tunnel(client_http2).prepare_response(&mut head, b"websocket", upstream_http2);
        assert_eq!(head.status, status);
        assert_eq!(head.fields.get_named(ACCEPT_FIELD), accept.map(str::as_bytes));
        let upgrade = (!client_http2).then_some(&b"websocket"[..]);
        assert_eq!(head.fields.get(Known::Upgrade), upgrade);
        for (name, value) in fields {
            assert_eq!(head.fields.get_named(name.as_bytes()), Some(value.as_bytes()));
        }
    }
}

#[test]
fn the_example_of_rfc_6455() {
    assert_eq!(accept_value(KEY.as_bytes()), ACCEPT);
}
