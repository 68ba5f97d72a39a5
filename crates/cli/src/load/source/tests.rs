//! Each kind of file against the origin: what was sent is what the origin counted.

use bulkhead_load::{Arrivals, LoadReport};
use bulkhead_origin::{Endpoint as Counted, Origin, OriginOptions};
use bulkhead_testkit::Scratch;

use super::*;
use crate::load::drive;

fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}

/// Overrides for a run that is short and the same on every machine.
fn quick(url: Option<&str>) -> Overrides<'_> {
    Overrides {
        url,
        seed_otherwise: 7,
        warmup: Some(Duration::ZERO),
        connections: Some(2),
        ..Overrides::default()
    }
}

fn run(file: &FileSource) -> LoadReport {
    drive::start(file.source.options.clone(), &file.source).unwrap().finish()
}

fn of_class(report: &LoadReport, name: &str) -> u64 {
    let class = report.classes.iter().find(|class| class.name == name);
    class.unwrap_or_else(|| panic!("no class {name} in {:?}", report.classes)).ok
}

#[test]
fn a_scenario_of_a_mix_and_a_journey_agrees_with_the_origin() {
    let (http1, http2, folder) = (origin(), origin(), Scratch::new());
    folder.write("agents.txt", b"one\ntwo\n");
    let text = format!(
        "
description: a mix
targets:
  web: http://{}
  api: {{url: 'h2c://{}', connections: 2, streams: 8}}
load:
  arrivals: constant
  warmup: 0
  phases: [{{rate: 400, duration: 250ms}}, {{from: 400, to: 800, duration: 250ms}}]
data: {{agents: {{lines: agents.txt}}}}
tokens: {{staff: {{algorithm: ES256, pool: 2}}}}
requests:
  - name: feed
    weight: 3
    target: api
    get: /api/v1/{{user:uniform(1,1000000)}}/feed
    headers: {{authorization: 'Bearer {{token:staff}}'}}
    expect: {{headers: {{content-type: application/json}}, json: {{$.user_id: '{{user}}'}}}}
  - {{name: grpc, target: api, grpc: /feed.v1.Feed/Get, body_hex: '08 07'}}
  - {{name: echo, target: web, post: /echo, body: '{{\"id\": {{id:sequence(1)}}}}', expect: {{body: '{{\"id\": {{id}}}}'}}}}
  - {{name: headers, target: api, get: /headers, headers: {{x-agent: '{{pick:agents}}'}},
     expect: {{json: {{'$[\"x-agent\"][0]': '{{pick:agents}}'}}}}}}
  - name: visit
    target: web
    steps:
      - {{name: open, post: /session, expect: {{status: 201}}, extract: {{session: {{json: $.session}}}}}}
      - think: 5ms
      - {{name: read, get: '/session/{{session}}', expect: {{json: {{$.session: '{{session}}'}}}}}}
assertions: [p99<10s]
",
        http1.addr(),
        http2.addr()
    );
    let path = folder.write("mix.yaml", text.as_bytes());
    let file = scenario(&path, &Overrides { connections: None, ..quick(None) }).unwrap();
    assert!(file.source.description.ends_with("mix.yaml: a mix"), "{}", file.source.description);
    let report = run(&file);
    assert_eq!(report.failed, 0, "{:?}", report.failure_samples);
    // 100 and 150 arrivals; a visit has a request more, unless the run ends while it thinks.
    let (opened, read) = (of_class(&report, "visit/open"), of_class(&report, "visit/read"));
    assert_eq!(report.ok, 250 + read);
    assert!((opened - 5..=opened).contains(&read), "{opened} {read}");
    for (origin, endpoint, class) in [
        (&http2, Counted::Feed, "feed"),
        (&http2, Counted::GrpcGet, "grpc"),
        (&http2, Counted::Headers, "headers"),
        (&http1, Counted::Echo, "echo"),
        (&http1, Counted::OpenSession, "visit/open"),
        (&http1, Counted::Session, "visit/read"),
    ] {
        let sent = of_class(&report, class);
        assert!(sent > 5, "{class}: {sent}");
        assert_eq!(origin.stats().requests(endpoint), sent, "{class}");
    }
    assert!(file.assertions.iter().all(|assertion| assertion.holds(&report) == Some(true)));
}

#[test]
fn wrong_answers_end_a_journey_and_are_counted_at_their_step() {
    let (origin, folder) = (origin(), Scratch::new());
    let text = "
targets: {web: 'http://127.0.0.1:1'}
load: {closed: {clients: 2, duration: 100ms}, warmup: 0}
requests:
  - name: visit
    steps:
      - {name: open, post: /session, expect: {status: 201}, extract: {session: {json: $.nothing}}}
      - {name: read, get: '/session/{session}'}
";
    let path = folder.write("wrong.yaml", text.as_bytes());
    // The URL stands for that of the scenario.
    let url = format!("http://{}", origin.addr());
    let report = run(&scenario(&path, &quick(Some(&url))).unwrap());
    assert_eq!((report.ok, origin.stats().requests(Counted::Session)), (0, 0));
    assert!(report.failed > 0);
    assert_eq!(origin.stats().requests(Counted::OpenSession), report.sent);
}

#[test]
fn a_scenario_that_is_wrong_is_told_with_its_place() {
    let folder = Scratch::new();
    let text = "targets: {a: 'http://a'}\nrequests: [{gte: /}]\nassertions: [fast]\n";
    let path = folder.write("bad.yaml", text.as_bytes());
    let found = scenario(&path, &quick(None)).err().unwrap().to_string();
    for part in ["bad.yaml:2:13: unknown key `gte`", "did you mean `get`?", "bad.yaml:3:14: `fast`"]
    {
        assert!(found.contains(part), "{found}");
    }
    let path =
        folder.write("idle.yaml", b"targets: {a: 'http://127.0.0.1:1'}\nrequests: [{get: /}]\n");
    let found = format!("{:#}", scenario(&path, &quick(None)).err().unwrap());
    assert!(found.contains("has no `load`: say how fast"), "{found}");
}

#[test]
fn a_recording_of_a_browser_is_sent_at_its_own_times() {
    let (origin, folder) = (origin(), Scratch::new());
    let entry = |ms: u32, method: &str, path: &str, status: u16| {
        format!(
            r#"{{"startedDateTime": "2026-11-29T14:00:00.{ms:03}Z", "request": {{"method": "{method}",
                "url": "http://{}{path}", "headers": [{{"name": "Host", "value": "h.example"}}],
                "postData": {{"mimeType": "text/plain", "text": "hello"}}}},
                "response": {{"status": {status}}}}}"#,
            origin.addr()
        )
    };
    let entries = [
        entry(0, "GET", "/api/v1/7/feed", 200),
        entry(100, "POST", "/echo", 200),
        entry(400, "GET", "/status/404", 404),
        entry(500, "GET", "/status/201", 200),
        "{}".to_owned(),
    ];
    let text = format!(r#"{{"log": {{"entries": [{}]}}}}"#, entries.join(","));
    let path = folder.write("a.har", text.as_bytes());
    let replay = Replay { speed: Some(5.0), methods: Methods::All, judge: Judge::Recorded };
    let file = har(&path, &replay, &quick(None)).unwrap();
    assert_eq!(file.notes.len(), 1, "{:?}", file.notes);
    let Arrivals::Open(schedule) = &file.source.options.arrivals else { panic!() };
    let times: Vec<u64> = schedule.times(0, 1).map(|at| at / 1_000_000).collect();
    assert_eq!(times, [0, 20, 80, 100]);
    let report = run(&file);
    // The last one was answered otherwise when it was recorded.
    assert_eq!((report.sent, report.ok), (4, 3), "{:?}", report.failure_samples);
    assert_eq!(
        report.classes.iter().map(|class| class.failures.values().sum::<u64>()).sum::<u64>(),
        1
    );
    let counts = [Counted::Feed, Counted::Echo, Counted::Status];
    assert_eq!(counts.map(|endpoint| origin.stats().requests(endpoint)), [1, 1, 2]);
    // And at random, at a rate.
    let paced = Overrides {
        rate: Some(500.0),
        process: Some(Process::Constant),
        duration: Some(Duration::from_millis(100)),
        ..quick(None)
    };
    let judged = Replay { judge: Judge::Success, methods: Methods::Safe, ..replay };
    let report = run(&har(&path, &judged, &paced).unwrap());
    assert_eq!((report.sent, origin.stats().requests(Counted::Echo)), (50, 1));
    assert_eq!(origin.stats().requests_total(), 54);
}

#[test]
fn an_access_log_is_replayed_against_the_url() {
    let (origin, folder) = (origin(), Scratch::new());
    let log = r#"{"time":"2026-11-29T14:00:01.000Z","method":"GET","authority":"a.example","path":"/api/v1/7/feed","status":200,"outcome":"complete","duration_ms":1.000}
127.0.0.1 - - [29/Nov/2026:14:00:01 +0000] "GET /status/200?x HTTP/1.1" 200 5 "-" "agent"
127.0.0.1 - - [29/Nov/2026:14:00:01 +0000] "GET /status/404 HTTP/1.1" 404 5
127.0.0.1 - - [29/Nov/2026:14:00:01 +0000] "DELETE /echo HTTP/1.1" 200 5
{"time":"2026-11-29T14:00:02.000Z","method":"HEAD","path":"/headers","query":"redacted","status":200}
"#;
    let path = folder.write("access.log", log.as_bytes());
    let url = format!("h2c://{}", origin.addr());
    let replay = Replay { speed: Some(10.0), ..Replay::default() };
    let file = access_log(&path, &replay, &quick(Some(&url))).unwrap();
    assert_eq!(file.notes.len(), 2, "{:?}", file.notes);
    let report = run(&file);
    assert_eq!((report.sent, report.failed), (4, 0), "{:?}", report.failure_samples);
    let counts = [Counted::Feed, Counted::Status, Counted::Headers, Counted::Echo];
    assert_eq!(counts.map(|endpoint| origin.stats().requests(endpoint)), [1, 2, 1, 0]);
    let without = access_log(&path, &replay, &quick(None)).err().unwrap().to_string();
    assert!(without.contains("give a URL"), "{without}");
}

#[test]
fn an_openapi_description_becomes_requests() {
    let (origin, folder) = (origin(), Scratch::new());
    let text = format!(
        "
openapi: 3.1.0
servers: [{{url: 'http://{}'}}]
paths:
  /api/v1/{{user}}/feed:
    get:
      operationId: feed
      parameters: [{{name: user, in: path, required: true, schema: {{type: integer}}}}]
      responses: {{'200': {{}}}}
  /session: {{post: {{operationId: open, responses: {{'201': {{}}}}}}}}
  /status/{{code}}:
    get:
      operationId: status
      parameters: [{{name: code, in: path, required: true, schema: {{enum: [204, 302]}}}}]
      responses: {{'204': {{}}, 3XX: {{}}}}
",
        origin.addr()
    );
    let path = folder.write("api.yaml", text.as_bytes());
    let paced = Overrides {
        rate: Some(1_000.0),
        process: Some(Process::Constant),
        duration: Some(Duration::from_millis(200)),
        ..quick(None)
    };
    let fields = [("x-a".to_owned(), "b".to_owned())];
    let report = run(&openapi(&path, Methods::All, &fields, &paced).unwrap());
    assert_eq!((report.sent, report.failed), (200, 0), "{:?}", report.failure_samples);
    for (endpoint, class) in
        [(Counted::Feed, "feed"), (Counted::OpenSession, "open"), (Counted::Status, "status")]
    {
        let sent = of_class(&report, class);
        assert!(sent > 30, "{class}: {sent}");
        assert_eq!(origin.stats().requests(endpoint), sent);
    }
    // The same seed asks for the same.
    let again = openapi(&path, Methods::Safe, &[], &paced).unwrap();
    assert_eq!((again.seed, again.source.options.classes.len()), (7, 2));
}

/// Options of a scenario with this target and load.
fn options(target: &str, load: &str, overrides: &Overrides<'_>) -> bulkhead_load::LoadOptions {
    let folder = Scratch::new();
    let text = format!("targets: {{a: {target}}}\nload: {load}\nrequests: [{{get: /}}]\n");
    let path = folder.write("a.yaml", text.as_bytes());
    scenario(&path, overrides).unwrap().source.options
}

#[test]
fn clients_of_a_closed_loop_do_not_wait_for_each_other() {
    let closed = "{closed: {clients: 50, duration: 1s}}";
    let open = "{phases: [{rate: 1, duration: 1s}]}";
    let more = "{url: 'h2c://127.0.0.1:1', connections: 20, streams: 7}";
    for (target, load, connections, streams) in [
        ("'http://127.0.0.1:1'", closed, 50, 1),
        ("'h2c://127.0.0.1:1'", closed, 10, 5),
        ("'http://127.0.0.1:1'", open, 10, 1),
        ("'h2c://127.0.0.1:1'", open, 10, 100),
        (more, closed, 20, 7),
    ] {
        let options = options(target, load, &Overrides::default());
        let target = &options.targets[0];
        assert_eq!((target.connections, target.streams_max), (connections, streams), "{load}");
    }
}

#[test]
fn warm_up_and_cool_down_frame_the_phases_and_flags_go_before_the_file() {
    let target = "'http://127.0.0.1:1'";
    let phases = "arrivals: constant, seed: 3, phases: [{rate: 10, duration: 1s}, {from: 10, to: 20, duration: 1s}]";
    let load = format!("{{{phases}, warmup: 500ms, cooldown: 500ms}}");
    let options_of = |overrides: &Overrides<'_>| options(target, &load, overrides);
    let framed = options_of(&Overrides::default());
    let Arrivals::Open(schedule) = &framed.arrivals else { panic!() };
    // 5, 10, 15 and 10 requests.
    assert_eq!((schedule.times(0, 1).count(), schedule.seed), (40, 3));
    let millis = |options: &bulkhead_load::LoadOptions| {
        [options.warmup, options.duration, options.cooldown].map(|time| time.as_millis())
    };
    assert_eq!(millis(&framed), [500, 2_000, 500]);
    let flags = Overrides {
        rate: Some(5.0),
        seed: Some(9),
        duration: Some(Duration::from_secs(3)),
        threads: Some(2),
        ..Overrides::default()
    };
    let flagged = options_of(&flags);
    let Arrivals::Open(schedule) = &flagged.arrivals else { panic!() };
    assert_eq!((schedule.seed, schedule.duration(), flagged.threads), (9, None, 2));
    assert_eq!(millis(&flagged), [500, 3_000, 500]);
    let closed = options_of(&Overrides { clients: Some(4), ..flags });
    assert!(matches!(closed.arrivals, Arrivals::Closed { in_flight: 4, .. }));
    // Nothing can warm up at no rate.
    let ramp = "{phases: [{from: 0, to: 10, duration: 2s}]}";
    assert_eq!(millis(&options(target, ramp, &Overrides::default())), [0, 2_000, 0]);
}
