use serde_json::Value;

use super::super::pages::tests::{Fixture, fixture};
use super::*;

fn post(pages: &Pages, target: &str) -> (u16, Value) {
    let answer = pages.answer(&Question::new("POST", target));
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

#[test]
fn the_pool_is_resized_without_faults_being_allowed() {
    let Fixture { pages, events, .. } = fixture(false);
    assert_eq!(
        post(&pages, "/workers/resize?count=4"),
        (200, json!({ "workers": 4, "before": 1 }))
    );
    assert_eq!(*events.lock().unwrap(), [Event::WorkersResized { before: 1, workers: 4 }]);
    let (status, refusal) = post(&pages, "/workers/resize?count=0");
    assert_eq!(status, 409);
    assert!(refusal["reason"].as_str().is_some_and(|reason| reason.contains("workers")));
    for target in ["/workers/resize", "/workers/resize?count=many", "/workers/resize?n=4"] {
        assert_eq!(post(&pages, target).0, 400, "{target}");
    }
}

#[test]
fn an_upgrade_tells_the_new_process() {
    let Fixture { pages, .. } = fixture(false);
    assert_eq!(post(&pages, "/upgrade"), (200, json!({ "pid": 4711 })));
}

#[test]
fn operations_are_neither_for_browsers_nor_for_get() {
    let Fixture { pages, events, .. } = fixture(true);
    for target in ["/workers/resize?count=4", "/upgrade"] {
        let question = Question { from_browser: true, ..Question::new("POST", target) };
        assert_eq!(pages.answer(&question).status, 403, "{target}");
        assert_eq!(pages.answer(&Question::new("GET", target)).status, 405, "{target}");
    }
    assert!(events.lock().unwrap().is_empty());
}
