use super::*;
use crate::chain::tests::Exchange;

fn spec(status: u16, headers: &[(&str, &str)], body: &str) -> FixedResponseSpec {
    let headers = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
    FixedResponseSpec { status, headers, body: body.to_owned() }
}

#[track_caller]
fn check(spec: &FixedResponseSpec, length: BodyLength, fields: &[(&str, &str)]) {
    let filter = FixedResponse::new(spec).unwrap();
    for _ in 0..2 {
        let response = Exchange::new("h", "/").respond(&filter);
        assert_eq!(response.head.status, spec.status);
        assert_eq!(response.head.body, length);
        assert_eq!(response.head.fields, fields.iter().copied().collect());
        assert_eq!(response.body, spec.body.as_bytes());
    }
}

#[test]
fn it_answers_the_same_each_time() {
    let text = ("content-type", "text/plain; charset=utf-8");
    check(&spec(200, &[], "hello"), BodyLength::Known(5), &[text]);
    check(&spec(503, &[("Retry-After", "5")], ""), BodyLength::None, &[("retry-after", "5")]);
    let json = &[("content-type", "application/json")];
    check(&spec(418, json, "{}"), BodyLength::Known(2), json);
    check(&spec(204, &[], ""), BodyLength::None, &[]);
}

#[test]
fn impossible_responses_are_refused() {
    for (bad, expect) in [
        (spec(199, &[], ""), "status 199 is not possible here"),
        (spec(600, &[], ""), "status 600"),
        (spec(204, &[], "x"), "status 204 has no body"),
        (spec(304, &[], "x"), "status 304 has no body"),
        (spec(200, &[("content-length", "9")], "x"), "the codec frames the body"),
        (spec(200, &[("x", "a\nb")], "x"), "control character"),
    ] {
        let text = FixedResponse::new(&bad).unwrap_err().to_string();
        assert!(text.contains(expect), "{text}");
    }
}
