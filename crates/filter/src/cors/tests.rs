use super::*;
use crate::Caches;

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn cors(origins: &str, names: &str, allow_credentials: bool) -> Cors {
    Cors::new(&CorsSpec {
        allow_origins: list(origins),
        allow_methods: list(names),
        allow_headers: list(names),
        expose_headers: list(names),
        allow_credentials,
        max_age_s: 60,
    })
    .expect("a filter")
}

fn request(method: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    for (name, value) in fields {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}

fn lines(fields: &Fields) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let short = |name: &[u8]| text(name).replace("access-control-", "");
    let lines: Vec<_> = fields
        .iter()
        .map(|field| format!("{}: {}", short(field.name), text(field.value)))
        .collect();
    lines.join("; ")
}

#[track_caller]
fn check_preflight(filter: &Cors, origin: &str, expect: &str) {
    let mut head = request(
        "OPTIONS",
        &[
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-a,x-b"),
        ],
    );
    let flow = filter.on_request(&mut Context {
        request: &mut head,
        client: None,
        now_unix_s: 0,
        secure: false,
        key_rotations: &[],
        caches: &mut Caches::new(),
        matched_prefix_len: None,
    });
    let Ok(Flow::Respond(response)) = flow else { panic!("no answer: {flow:?}") };
    assert_eq!((response.head.status, &*lines(&response.head.fields)), (204, expect));
}

#[test]
fn preflight_requests_are_answered() {
    let some = cors("https://a.example https://*.b.example:8443", "PUT x-a", false);
    check_preflight(
        &some,
        "https://a.example",
        "vary: origin; allow-origin: https://a.example; allow-methods: PUT, x-a; \
         allow-headers: PUT, x-a; max-age: 60",
    );
    for origin in [
        "https://evil.example",
        "http://a.example",
        "https://b.example:8443",
        "https://x.b.example",
        "https://a.example.evil",
        "https://evil/.b.example:8443",
        "https://evil@x.b.example:8443",
        "https://.b.example:8443x",
        "null",
        "",
    ] {
        check_preflight(&some, origin, "vary: origin");
    }
    let any = cors("*", "*", false);
    check_preflight(
        &any,
        "null",
        "allow-origin: *; allow-methods: *; allow-headers: *; max-age: 60",
    );
    let credentials = cors("*", "*", true);
    check_preflight(
        &credentials,
        "https://a",
        "vary: origin; allow-origin: https://a; allow-credentials: true; allow-methods: PUT; \
         allow-headers: x-a,x-b; max-age: 60",
    );
}

#[track_caller]
fn check_response(filter: &Cors, origin: Option<&str>, expect: &str) {
    let fields: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
    let mut response = ResponseHead::new(200);
    response.fields.push(b"x-a", b"1");
    response.fields.push(b"access-control-allow-origin", b"https://theirs");
    response.fields.push(b"access-control-allow-credentials", b"true");
    filter.on_response_to(&request("GET", &fields), &mut response);
    assert_eq!(lines(&response.fields), expect);
}

#[test]
fn responses_say_who_may_read_them() {
    let some = cors("https://*.b.example", "x-a", true);
    check_response(
        &some,
        Some("https://x.y.b.example"),
        "x-a: 1; vary: origin; allow-origin: https://x.y.b.example; allow-credentials: true; \
         expose-headers: x-a",
    );
    check_response(&some, Some("https://evil"), "x-a: 1; vary: origin");
    let any = cors("*", "*", false);
    check_response(&any, Some("https://x"), "x-a: 1; allow-origin: *; expose-headers: *");
    let names = cors("*", "*", true);
    check_response(
        &names,
        Some("https://x"),
        "x-a: 1; vary: origin; allow-origin: https://x; allow-credentials: true; \
         expose-headers: access-control-allow-credentials, access-control-allow-origin, vary, x-a",
    );
    check_response(&any, None, "x-a: 1; allow-origin: https://theirs; allow-credentials: true");
}

#[test]
fn what_is_no_preflight_request_goes_on() {
    for (method, fields) in [
        ("OPTIONS", &[("origin", "https://a.example")][..]),
        ("OPTIONS", &[("access-control-request-method", "PUT")][..]),
        ("GET", &[("origin", "https://a.example"), ("access-control-request-method", "PUT")][..]),
    ] {
        let mut head = request(method, fields);
        let flow = cors("*", "*", false).on_request(&mut Context {
            request: &mut head,
            client: None,
            now_unix_s: 0,
            secure: false,
            key_rotations: &[],
            caches: &mut Caches::new(),
            matched_prefix_len: None,
        });
        assert!(matches!(flow, Ok(Flow::Continue)), "{method} {fields:?}");
    }
}
