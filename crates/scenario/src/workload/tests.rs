use bulkhead_message::{Fields, Known, ResponseHead};

use super::*;
use crate::{Surroundings, parse};

fn workload(text: &str) -> PlanWorkload {
    let surroundings = Surroundings {
        url: None,
        encode_message: None,
        read: &|_| Err("none".to_owned()),
        check_assertion: &|_| Ok(()),
    };
    let scenario = parse(text, "test.yaml", &surroundings).map_err(|e| e.to_string()).unwrap();
    let tokens = Tokens::new(scenario.tokens.iter().map(|_| vec!["signed".to_owned()]).collect());
    PlanWorkload::new(scenario.plan, tokens, 7)
}

fn line(request: &Request) -> String {
    let head = &request.head;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields: String = head
        .fields
        .iter()
        .map(|field| format!(" {}={}", text(field.name), text(field.value)))
        .collect();
    let (method, host, target) = (head.method_text(), head.authority(), head.target());
    format!("{} {}{}{fields} [{}]", text(method), text(host), text(target), text(&request.body))
}

fn answer(
    workload: &mut PlanWorkload,
    request: &Request,
    status: u16,
    body: &str,
) -> Result<Option<Next>, Mismatch> {
    let mut head = ResponseHead::new(status);
    head.fields.push(b"location", b"http://x/items/9");
    head.fields.push(b"set-cookie", b"other=1");
    head.fields.push(b"set-cookie", b"sid=c=1; Path=/; HttpOnly");
    let trailers = Fields::new();
    let (class, key) = (request.class, request.key);
    let answer = Answer { class, key, head: &head, body: body.as_bytes(), trailers: &trailers };
    workload.check(&answer).map(|()| workload.next(&answer))
}

const MIX: &str = "
targets: {one: 'http://a:1/base/', two: 'h2://b'}
data: {agents: {values: [x, y]}}
tokens: {staff: {algorithm: ES256}}
requests:
  - {get: '/u/{user:uniform(1,1000000)}', target: one, weight: 3, expect: {body: 'u{user}'},
     headers: {user-agent: '{pick:agents}', authorization: 'Bearer {token:staff}', host: h.example}}
  - {grpc: /p.S/M, target: two, body_hex: '0a 01 07'}
";

#[test]
fn the_same_number_gives_the_same_request_on_every_thread() {
    let (mut first, mut second) = (workload(MIX), workload(MIX));
    let mut counts = [0; 2];
    for number in 0..2_000 {
        let (mut one, mut other) = (Request::default(), Request::default());
        first.prepare(number, &mut one);
        second.prepare(number, &mut other);
        assert_eq!((line(&one), one.class, one.key), (line(&other), other.class, other.key));
        counts[one.class] += 1;
    }
    assert!((1_420..1_580).contains(&counts[0]), "{counts:?}");
    assert_eq!(first.journeys.len(), 0);
}

#[test]
fn requests_are_written_as_declared_and_answers_compared_with_what_was_drawn() {
    let mut workload = workload(MIX);
    let mut seen = [false; 2];
    for number in 0..64 {
        let mut request = Request::default();
        workload.prepare(number, &mut request);
        seen[request.class] = true;
        let found = line(&request);
        if request.class == 1 {
            assert_eq!(
                found,
                "POST b/p.S/M content-type=application/grpc te=trailers [\0\0\0\0\u{3}\n\u{1}\u{7}]"
            );
            continue;
        }
        let user = found.split(['/', ' ']).nth(4).unwrap();
        assert!(found.starts_with(&format!("GET h.example/base/u/{user} user-agent=")), "{found}");
        assert!(found.ends_with(" authorization=Bearer signed []"), "{found}");
        assert!(request.head.fields.iter().any(|f| f.known == Known::Authorization && f.sensitive));
        assert_eq!(answer(&mut workload, &request, 200, &format!("u{user}")), Ok(None));
        assert_eq!(answer(&mut workload, &request, 200, "u0"), Err(Mismatch::Body));
    }
    assert_eq!(seen, [true; 2]);
}

const JOURNEY: &str = r#"
targets: {one: 'http://a'}
requests:
  - name: visit
    steps:
      - post: /session
        body: '{"user": {id:uniform(1,9)}}'
        expect: {status: 201}
        extract:
          session: {json: $.session}
          item: {header: location}
          mark: {regex: '<m>(\w+)</m>'}
          sid: {cookie: sid}
      - think: 20ms
      - think: 30ms
      - get: '/s/{session}?u={id}&m={mark}'
      - get: '{item}'
        headers: {cookie: 'sid={sid}'}
"#;

#[test]
fn a_journey_carries_what_it_extracted() {
    let mut workload = workload(JOURNEY);
    let mut request = Request::default();
    workload.prepare(5, &mut request);
    let user: String = line(&request).chars().filter(char::is_ascii_digit).collect();
    let body = r#"{"session": "a/b", "text": "<m>k</m>"}"#;
    let next = answer(&mut workload, &request, 201, body).unwrap().unwrap();
    assert_eq!((next.after.as_millis(), workload.journeys.len()), (50, 1));
    // Asked for twice, as for a retry.
    for _ in 0..2 {
        request.clear();
        workload.follow(next.key, &mut request);
        assert_eq!(line(&request), format!("GET a/s/a%2Fb?u={user}&m=k []"));
        assert_eq!(request.class, 1);
    }
    let next = answer(&mut workload, &request, 200, "").unwrap().unwrap();
    request.clear();
    workload.follow(next.key, &mut request);
    assert_eq!(line(&request), "GET a/items/9 cookie=sid=c=1 []");
    assert_eq!(answer(&mut workload, &request, 200, ""), Ok(None));
    assert_eq!(workload.journeys.len(), 0);
    let names: Vec<&str> = workload.plan.classes().iter().map(|c| c.name.as_str()).collect();
    let expected =
        ["visit/POST /session", "visit/GET /s/{session}?u={id}&m={mark}", "visit/GET {item}"];
    assert_eq!(names, expected);
}

#[test]
fn a_journey_that_fails_is_forgotten() {
    let mut workload = workload(JOURNEY);
    let mut request = Request::default();
    for (status, body, expected) in [
        (500, "", Mismatch::Status),
        (201, "{}", Mismatch::Body),
        (201, r#"{"session": "a"}"#, Mismatch::Body),
    ] {
        request.clear();
        workload.prepare(1, &mut request);
        assert_eq!(answer(&mut workload, &request, status, body), Err(expected));
        workload.abandon(request.key);
        // Once more does no harm.
        workload.abandon(request.key);
        assert_eq!(workload.journeys.len(), 0);
    }
    // Memory follows from what is under way.
    for number in 0..1_000 {
        request.clear();
        workload.prepare(number, &mut request);
        workload.abandon(request.key);
    }
    assert_eq!((workload.journeys.len(), request.key), (0, 0));
}

#[test]
fn a_message_is_encoded_by_whoever_has_the_descriptors() {
    let encode = |path: &str, json: &str| match path {
        "/p.S/M" => Ok(format!("<{json}>").into_bytes()),
        _ => Err("there is no such method".to_owned()),
    };
    let surroundings = Surroundings {
        url: None,
        encode_message: Some(&encode),
        read: &|_| Err("none".to_owned()),
        check_assertion: &|_| Ok(()),
    };
    let text = |path: &str| {
        format!("targets: {{a: 'h2c://a'}}\nrequests: [{{grpc: {path}, message: {{user: 7}}}}]")
    };
    let scenario = parse(&text("/p.S/M"), "a.yaml", &surroundings).unwrap();
    let mut request = Request::default();
    PlanWorkload::new(scenario.plan, Tokens::default(), 1).prepare(0, &mut request);
    assert_eq!(request.body, b"\0\0\0\0\x0c<{\"user\":7}>");
    let found = parse(&text("/p.S/N"), "a.yaml", &surroundings).unwrap_err().to_string();
    assert!(found.contains("encode the message: there is no such method"), "{found}");
}
