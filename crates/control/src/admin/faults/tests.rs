use serde_json::{Value, json};

use crate::admin::pages::Question;
use crate::admin::pages::tests::{Fixture, fixture};
use crate::event::Event;

fn ask(fixture: &Fixture, method: &str, path: &str, body: &str) -> (u16, Value) {
    let question = Question { body: body.into(), ..Question::new(method, path) };
    let answer = fixture.pages.answer(&question);
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

const ABORT: &str =
    r#"{"fault": {"http": {"abort": {"status": 503}, "percent": 5}}, "ttl_ms": 9000}"#;

#[test]
fn a_fault_is_put_looked_at_and_taken_back() {
    let fixture = fixture(true);
    let (status, report) = ask(&fixture, "PUT", "/faults/a", ABORT);
    assert_eq!(
        (status, &report["state"], &report["ttl_left_ms"]),
        (201, &json!("active"), &json!(9000))
    );
    assert_eq!(ask(&fixture, "PUT", "/faults/a", ABORT).0, 200);
    let (status, report) = ask(&fixture, "GET", "/faults/a", "");
    assert_eq!((status, &report["rule"]["fault"]["http"]["percent"]), (200, &json!(5.0)));
    let (_, all) = ask(&fixture, "GET", "/faults", "");
    assert_eq!(all["faults"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&fixture, "DELETE", "/faults/a", "").1["state"], "removed");
    assert_eq!(ask(&fixture, "DELETE", "/faults", ""), (200, json!({"removed": 0})));
    let events = fixture.events.lock().unwrap();
    assert!(matches!(&events[0], Event::FaultPut { id, kind: "http.abort", .. } if id == "a"));
    assert!(matches!(&events[1], Event::FaultRemoved { id, .. } if id == "a"));
    assert_eq!(events[2], Event::FaultsRemoved { count: 0 });
}

#[test]
fn what_is_wrong_is_told() {
    let fixture = fixture(true);
    for (method, path, body, status) in [
        ("PUT", "/faults/a", "", 400),
        ("PUT", "/faults/a", "[]", 400),
        ("PUT", "/faults/a", r#"{"fault": {"http": {"percent": 5}}}"#, 400),
        ("PUT", "/faults/a", r#"{"fault": {"http": {"goaway": {}, "percent": 5}}, "ttl": 1}"#, 400),
        ("PUT", "/faults/a%2f", ABORT, 400),
        ("GET", "/faults/none", "", 404),
        ("POST", "/faults", ABORT, 405),
        ("POST", "/faults/a", ABORT, 405),
    ] {
        let (answered, document) = ask(&fixture, method, path, body);
        assert_eq!(answered, status, "{method} {path} {body}: {document}");
    }
    let (_, refused) = ask(&fixture, "PUT", "/faults/a", r#"{"fault": {"http": {"percent": 5}}}"#);
    assert!(refused["reason"].as_str().unwrap().contains("one effect"), "{refused}");
}

#[test]
fn a_fault_is_held_against_what_there_is_and_nothing_happens() {
    let fixture = fixture(true);
    assert_eq!(ask(&fixture, "POST", "/faults/check", ABORT), (200, json!({"possible": true})));
    let nowhere = ABORT.replace("\"percent\": 5", "\"percent\": 5, \"route\": \"none\"");
    let (status, told) = ask(&fixture, "POST", "/faults/check", &nowhere);
    assert_eq!((status, &told["reason"]), (409, &json!("there is no route")));
    assert_eq!(ask(&fixture, "POST", "/faults/check", "[]").0, 400);
    assert_eq!(ask(&fixture, "GET", "/faults", "").1["faults"], json!([]));
    assert!(fixture.events.lock().unwrap().is_empty());
}

#[test]
fn faults_need_permission_and_no_browser() {
    let without = fixture(false);
    for (method, path) in [("GET", "/faults"), ("PUT", "/faults/a"), ("DELETE", "/faults")] {
        assert_eq!(ask(&without, method, path, ABORT).0, 404, "{method} {path}");
    }
    let with = fixture(true);
    let question = Question { from_browser: true, ..Question::new("DELETE", "/faults") };
    assert_eq!(with.pages.answer(&question).status, 403);
}
