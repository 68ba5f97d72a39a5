//! Files with pieces cut out, doubled or swapped: requests or a reason, never a panic. What the fuzzer
//! does for long, for a moment and on every machine.

use bulkhead_load::{Random, Request, Workload};
use bulkhead_scenario::{
    Endpoint, Judge, Methods, OpenApiOptions, PlanWorkload, RecordingOptions, Surroundings,
    TargetSettings, Tokens, access_log, har, openapi, parse,
};

const ROUNDS: u64 = 400;

const SCENARIO: &str = include_str!("../../../../examples/load/journey.yaml");
const MIXED: &str = include_str!("../../../../examples/load/mixed.yaml");
const RICH: &str = r#"
targets: {a: {url: "h2://[::1]:9/x", sources: [127.0.0.1], tls: {skip_verify: true}}}
data: {users: {csv: file}, names: {values: [é, "x y"]}}
tokens: {staff: {algorithm: RS256, claims: {sub: "u{index}", aud: [a]}}}
load: {phases: [{from: 0, to: 9.5, duration: 1m30s}], cooldown: 2s, seed: 18446744073709551615}
requests:
  - get: "/{n:uniform(1,9)}/{pick:names}/{z:zipf(1,99,1.1)}?{id:uuid}{{&s={s:sequence(7)}"
    headers: {authorization: "Bearer {token:staff}", x-i: "{token:staff.index}", host: "h{n}"}
    expect: {status: [200, 404], json: {"$['a b'][-1].c": "{n}"}, body_contains: ["{s}"]}
  - steps: [{post: /, body: "{\"a\":{}}", extract: {v: {regex: "(a+)"}}}, {think: 1s}, {get: "{v}"}]
"#;
const HAR: &str = r#"{"log": {"entries": [{"startedDateTime": "2026-11-29T14:00:00.5+01:00", "request":
    {"method": "POST", "url": "https://a.example:8/b?c", "httpVersion": "h2", "headers": [{"name": "x",
    "value": "y"}], "postData": {"text": "t"}}, "response": {"status": 200}}]}}"#;
const LOG: &str = "a - - [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.0\" 200 2 \"r\" \"\\x41\\\"\"\n\
    {\"time\":\"2026-11-29T14:00:01.5Z\",\"method\":\"GET\",\"path\":\"/x\",\"query\":\"q\",\"status\":200}\n";
const API: &str = r##"
openapi: 3.1.0
servers: [{url: "http://a/{v}", variables: {v: {default: b}}}]
paths:
  /a/{b}:
    post:
      parameters: [{name: b, in: path, required: true, schema: {$ref: "#/s/n"}}]
      requestBody: {content: {application/json: {schema: {type: object, required: [c],
        properties: {c: {type: array, minItems: 2, items: {enum: [x, 1.5, null]}}}}}}}
      responses: {2XX: {}}
s: {n: {type: integer, minimum: -5, maximum: 5}}
"##;

/// `text` with one to four changes.
fn changed(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let end = (at + random.below(12) as usize).min(bytes.len());
        match random.below(4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            2 => {
                const LETTERS: &[u8] = b"{}[]:,\"'$\\/0-9\n \t&*!|>#%@\xc3\xa9";
                bytes.insert(at, LETTERS[random.below(LETTERS.len() as u64) as usize]);
            }
            _ => bytes.truncate(at.max(8)),
        }
    }
    bytes
}

fn write(mut workload: impl Workload) {
    let mut request = Request::default();
    for number in 0..4 {
        request.clear();
        workload.prepare(number, &mut request);
        workload.abandon(request.key);
    }
}

fn try_all(bytes: &[u8]) {
    let (endpoint, _) = Endpoint::parse("h2c://127.0.0.1:9").expect("a URL");
    let target = Some(TargetSettings::new("t", endpoint, 1));
    let options = RecordingOptions { target, connections: None, methods: Methods::All };
    match access_log(bytes, "a.log", &options) {
        Ok(recording) => write(recording.in_order(Judge::Recorded)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match har(text, "a.har", &options) {
        Ok(recording) => write(recording.at_random(Judge::Recorded, 1)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let surroundings = Surroundings {
        url: None,
        encode_message: None,
        read: &|_| Ok(b"id,name\n1,ann\n".to_vec()),
        check_assertion: &|_| Ok(()),
    };
    match parse(text, "a.yaml", &surroundings) {
        Ok(scenario) => write(PlanWorkload::new(scenario.plan, Tokens::default(), 1)),
        Err(errors) => assert!(!errors.0.is_empty() && !errors.to_string().is_empty()),
    }
    let options = OpenApiOptions {
        target: options.target,
        connections: None,
        methods: Methods::All,
        fields: Vec::new(),
    };
    match openapi(text, "a.yaml", &options) {
        Ok(requests) => write(PlanWorkload::new(requests.plan, Tokens::default(), 1)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn changed_files_never_panic() {
    let mut random = Random::new(1);
    for text in [SCENARIO, MIXED, RICH, HAR, LOG, API] {
        try_all(text.as_bytes());
        for _ in 0..ROUNDS {
            try_all(&changed(text, &mut random));
        }
    }
}

#[test]
fn the_files_are_right_before_they_are_changed() {
    let surroundings = Surroundings {
        url: None,
        encode_message: None,
        read: &|_| Ok(b"id,name\n1,ann\n".to_vec()),
        check_assertion: &|_| Ok(()),
    };
    for text in [SCENARIO, MIXED, RICH] {
        parse(text, "a.yaml", &surroundings).map_err(|errors| errors.to_string()).unwrap();
    }
}
