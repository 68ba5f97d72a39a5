use bulkhead_message::{Fields, ResponseHead};

use super::*;
use crate::workload::Tokens;

const JSON: &[u8] = br#"{"a": {"b": [1, "x", true, null, 1.5]}}"#;

#[track_caller]
fn check(expect: Expectation, status: u16, body: &[u8], expected: Result<(), Mismatch>) {
    let mut head = ResponseHead::new(status);
    head.fields.push(b"content-type", b"application/json; charset=utf-8");
    head.fields.push(b"grpc-status", b"5");
    let trailers = Fields::new();
    let answer = Answer { class: 0, key: 0, head: &head, body, trailers: &trailers };
    let tokens = Tokens::default();
    let draws =
        Draws { seed: 0, number: 0, variables: &[], pools: &[], tokens: &tokens, extracted: &[] };
    let mut json = JsonBody::new(body);
    assert_eq!(expect.check(&answer, &draws, &mut json, &mut Vec::new()), expected, "{expect:?}");
}

fn expect(change: impl FnOnce(&mut Expectation)) -> Expectation {
    let mut expect = Expectation::default();
    change(&mut expect);
    expect
}

#[test]
fn statuses_are_ranges() {
    check(Expectation::default(), 204, b"", Ok(()));
    check(Expectation::default(), 304, b"", Err(Mismatch::Status));
    check(expect(|e| e.statuses = vec![(200, 200), (404, 404)]), 404, b"", Ok(()));
    check(expect(|e| e.statuses = vec![(200, 200), (404, 404)]), 201, b"", Err(Mismatch::Status));
    check(expect(|e| e.grpc_status = Some(5)), 200, b"", Ok(()));
    check(expect(|e| e.grpc_status = Some(0)), 200, b"", Err(Mismatch::GrpcStatus));
}

#[test]
fn fields_may_have_parameters_that_nobody_asked_for() {
    for (value, expected) in [
        ("application/json", Ok(())),
        ("application/json; charset=utf-8", Ok(())),
        ("application/json;", Err(Mismatch::Header)),
        ("application/js", Err(Mismatch::Header)),
        ("text/html", Err(Mismatch::Header)),
    ] {
        let field = ("content-type".to_owned(), Template::literal(value));
        check(expect(|e| e.fields = vec![field]), 200, b"", expected);
    }
    let missing = ("etag".to_owned(), Template::literal(""));
    check(expect(|e| e.fields = vec![missing]), 200, b"", Err(Mismatch::Header));
}

#[test]
fn bodies_are_compared_as_asked() {
    for (path, value, expected) in [
        ("$.a.b[0]", "1", Ok(())),
        ("$.a.b[1]", "x", Ok(())),
        ("$.a.b[2]", "true", Ok(())),
        ("$.a.b[3]", "null", Ok(())),
        ("$.a.b[4]", "1.5", Ok(())),
        ("$.a.b[5]", "", Err(Mismatch::Body)),
        ("$.a.b[0]", "2", Err(Mismatch::Body)),
    ] {
        let json = (JsonPath::parse(path).unwrap(), Template::literal(value));
        check(expect(|e| e.json = vec![json]), 200, JSON, expected);
    }
    let json = (JsonPath::parse("$").unwrap(), Template::literal("x"));
    check(expect(|e| e.json = vec![json]), 200, b"no JSON", Err(Mismatch::Body));
    check(expect(|e| e.body = Some(Template::literal("ab"))), 200, b"ab", Ok(()));
    check(expect(|e| e.body = Some(Template::literal("ab"))), 200, b"abc", Err(Mismatch::Body));
    let parts = vec![Template::literal("b"), Template::literal("")];
    check(expect(|e| e.body_contains = parts.clone()), 200, b"abc", Ok(()));
    check(expect(|e| e.body_contains = parts), 200, b"ac", Err(Mismatch::Body));
    check(expect(|e| e.body_sha256 = Some(sha256(b"abc"))), 200, b"abc", Ok(()));
    check(expect(|e| e.body_sha256 = Some(sha256(b"abc"))), 200, b"abd", Err(Mismatch::Body));
    assert_eq!(sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
}
