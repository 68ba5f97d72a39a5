use bulkhead_load::{Answer, Mismatch, Request, Workload};
use bulkhead_message::{Fields, ResponseHead};

use super::*;
use crate::Endpoint;

pub(crate) fn target(name: &str) -> TargetSettings {
    let (endpoint, _) = Endpoint::parse("http://127.0.0.1:9").unwrap();
    TargetSettings::new(name, endpoint, 1)
}

fn request(at_ms: u64, method: &str) -> RecordedRequest {
    RecordedRequest {
        at: Duration::from_millis(at_ms),
        target: 0,
        class: 0,
        method: method.to_owned(),
        scheme: Scheme::Http,
        authority: "a".to_owned(),
        path: format!("/{at_ms}"),
        fields: vec![("cookie".to_owned(), "a=b".to_owned())],
        body: Vec::new(),
        status: Some(404),
    }
}

fn recording(requests: Vec<RecordedRequest>) -> Recording {
    Recording::new("a", vec![target("a")], requests, Skipped::default()).unwrap()
}

#[test]
fn times_count_from_the_first_and_can_be_scaled() {
    let recording = recording(vec![request(900, "GET"), request(500, "GET"), request(700, "PUT")]);
    assert_eq!(recording.duration(), Duration::from_millis(400));
    let times = |speed| recording.schedule(speed).times(0, 1).collect::<Vec<_>>();
    assert_eq!(times(1.0), [0, 200_000_000, 400_000_000]);
    assert_eq!(times(4.0), [0, 50_000_000, 100_000_000]);
    assert_eq!(recording.schedule(1.0).times(1, 2).collect::<Vec<_>>(), [200_000_000]);
    let names: Vec<&str> = recording.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["GET", "PUT"]);
    let mut workload = recording.in_order(Judge::Recorded);
    let mut prepared = Request::default();
    workload.prepare(1, &mut prepared);
    assert_eq!((prepared.head.target(), prepared.class), (&b"/700"[..], 1));
    assert!(prepared.head.fields.iter().all(|field| field.sensitive));
}

#[test]
fn answers_are_judged_by_what_was_recorded() {
    let mut silent = request(1, "GET");
    silent.status = None;
    let recording = recording(vec![request(0, "GET"), silent]);
    let (head, trailers) = (ResponseHead::new(404), Fields::new());
    let answer = |key| Answer { class: 0, key, head: &head, body: b"", trailers: &trailers };
    assert_eq!(recording.in_order(Judge::Recorded).check(&answer(0)), Ok(()));
    assert_eq!(recording.in_order(Judge::Recorded).check(&answer(1)), Err(Mismatch::Status));
    assert_eq!(recording.in_order(Judge::Success).check(&answer(0)), Err(Mismatch::Status));
}

#[test]
fn classes_are_bounded_and_nothing_is_an_error() {
    let many = (0..100).map(|number| request(number, &format!("M{number}"))).collect();
    assert_eq!(recording(many).classes.len(), CLASSES_MAX + 1);
    let mut skipped = Skipped::default();
    skipped.add("line 3", "why");
    skipped.add("line 4", "whatever");
    let found = Recording::new("x.log", Vec::new(), Vec::new(), skipped).unwrap_err().to_string();
    let expected =
        "x.log: no request in it can be sent again; 2 were left out, the first in line 3: why";
    assert_eq!(found, expected);
}

#[test]
fn at_random_is_given_by_the_seed() {
    let recording = recording((0..50).map(|number| request(number, "GET")).collect());
    let draw = |seed| {
        let mut workload = recording.at_random(Judge::Success, seed);
        let mut keys = Vec::new();
        for number in 0..20 {
            let mut request = Request::default();
            workload.prepare(number, &mut request);
            keys.push(request.key);
        }
        keys
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
