use std::sync::Mutex;

use bulkhead_config::Config;

use super::*;
use crate::plane::ClusterAvailability;
use crate::plane::fake::FakePlane;

pub(crate) struct Fixture {
    pub(crate) pages: Pages,
    plane: Arc<FakePlane>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

pub(crate) fn fixture(faults: bool) -> Fixture {
    let (plane, _) = FakePlane::new();
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = Arc::clone(&events);
    let status = Status::new("gateway.yaml".to_owned(), 7, &Config::default(), Vec::new());
    let pages = Pages {
        plane: Arc::<FakePlane>::clone(&plane),
        status: Arc::new(status),
        events: Arc::new(move |event| heard.lock().unwrap().push(event)),
        faults,
        readiness_clusters: vec!["api".to_owned()],
    };
    Fixture { pages, plane, events }
}

fn ask(pages: &Pages, method: &str, path: &str) -> Answer {
    pages.answer(&Question::new(method, path))
}

#[test]
fn statuses_by_method_and_path() {
    let Fixture { pages, .. } = fixture(true);
    for (method, path, status) in [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/metrics", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/config", 200),
        ("GET", "/workers", 200),
        ("GET", "/listeners", 200),
        ("GET", "/endpoints", 200),
        ("POST", "/endpoints", 405),
        ("POST", "/metrics", 405),
        ("DELETE", "/config", 405),
        ("GET", "/nothing", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/workers/0/kill", 405),
        ("POST", "/workers/0/kill", 200),
        ("POST", "/workers/1/kill", 409),
        ("POST", "/workers/x/kill", 404),
        ("POST", "/workers/-1/kill", 404),
        ("POST", "/workers/0/0/kill", 404),
    ] {
        assert_eq!(ask(&pages, method, path).status, status, "{method} {path}");
    }
    assert_eq!(ask(&pages, "POST", "/metrics").allow, Some("GET, HEAD"));
    assert_eq!(ask(&pages, "GET", "/workers/0/kill").allow, Some("POST"));
}

#[test]
fn kills_need_permission_and_no_browser() {
    let Fixture { pages, events, .. } = fixture(false);
    let refused = ask(&pages, "POST", "/workers/0/kill");
    assert_eq!(refused.status, 404);
    assert!(refused.body.contains("--allow-faults"), "{}", refused.body);
    assert!(!ask(&pages, "GET", "/").body.contains("kill"));
    assert!(events.lock().unwrap().is_empty());

    let Fixture { pages, events, .. } = fixture(true);
    let question = Question { from_browser: true, ..Question::new("POST", "/workers/0/kill") };
    assert_eq!(pages.answer(&question).status, 403);
    assert!(events.lock().unwrap().is_empty());
    let answer: Value = serde_json::from_str(&ask(&pages, "POST", "/workers/0/kill").body).unwrap();
    assert_eq!(answer["connections_moved"], json!(10));
    assert_eq!(answer["duration_ms"], json!(1.25));
    assert_eq!(
        *events.lock().unwrap(),
        [Event::WorkerKilled { worker: 0, connections_moved: 10, connections_lost: 0 }]
    );
}

#[test]
fn readiness_tells_its_reasons() {
    let Fixture { pages, plane, .. } = fixture(false);
    let ready = || {
        let answer = ask(&pages, "GET", "/readyz");
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    assert_eq!(ready(), (200, json!({ "ready": true, "reasons": [], "degraded": [] })));
    plane.unready.lock().unwrap().push("worker 3 is down".to_owned());
    pages.status.drain();
    assert_eq!(
        ready(),
        (
            503,
            json!({
                "ready": false,
                "reasons": ["worker 3 is down", "the gateway is draining"],
                "degraded": [],
            })
        )
    );
}

#[test]
fn a_cluster_that_is_down_is_a_reason_only_if_it_is_named() {
    let Fixture { pages, plane, .. } = fixture(false);
    // Healthy endpoints of `api`, which is named, and of `other`, which is not; status, degraded.
    for (api, other, status, degraded) in [
        (1, 1, 200, json!([])),
        (1, 0, 200, json!(["other"])),
        (0, 1, 503, json!(["api"])),
        (0, 0, 503, json!(["api", "other"])),
    ] {
        *plane.availability.lock().unwrap() = [("api", api), ("other", other)]
            .map(|(cluster, healthy)| ClusterAvailability {
                cluster: cluster.to_owned(),
                endpoints: 2,
                healthy,
            })
            .to_vec();
        let answer = ask(&pages, "GET", "/readyz");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["degraded"]), (status, &degraded), "{api} {other}");
        let reasons =
            if api == 0 { json!(["cluster `api` has no healthy endpoint"]) } else { json!([]) };
        assert_eq!(body["reasons"], reasons, "{api} {other}");
    }
}

#[test]
fn endpoints_are_told() {
    let Fixture { pages, .. } = fixture(false);
    let answer: Value = serde_json::from_str(&ask(&pages, "GET", "/endpoints").body).unwrap();
    assert_eq!(
        answer,
        json!({ "clusters": [{ "name": "api", "endpoints": [{
            "address": "10.0.0.1:80", "healthy": false, "ejected_by_workers": 1,
            "in_flight": 7, "connections": 2,
        }] }] })
    );
}

#[test]
fn configuration_workers_and_listeners() {
    let Fixture { pages, .. } = fixture(false);
    pages.status.rejected("gateway.yaml:3:1: unknown key".to_owned());
    let config: Value = serde_json::from_str(&ask(&pages, "GET", "/config").body).unwrap();
    assert_eq!(config["revision"], json!(7));
    assert_eq!(config["source"], json!("gateway.yaml"));
    assert_eq!(config["last_error"]["reason"], json!("gateway.yaml:3:1: unknown key"));
    let workers: Value = serde_json::from_str(&ask(&pages, "GET", "/workers").body).unwrap();
    assert_eq!(
        workers["workers"][0],
        json!({
            "index": 0, "generation": 2, "alive": true,
            "connections": 10, "exchanges": 3, "cpu_seconds": 1.5,
        })
    );
    let listeners: Value = serde_json::from_str(&ask(&pages, "GET", "/listeners").body).unwrap();
    assert_eq!(
        listeners["listeners"],
        json!([{ "name": "web", "address": "127.0.0.1:8443", "tls": true }])
    );
}
