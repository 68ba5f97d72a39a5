use std::time::{Duration, Instant};

use serde_json::json;

use super::{Kind, Latency, Stream, Toxic};

const LIFE: Duration = Duration::from_secs(900);

fn create(body: serde_json::Value) -> Result<Toxic, (u16, String)> {
    Toxic::create(body.to_string().as_bytes(), Instant::now(), LIFE)
        .map_err(|error| (error.status, error.message))
}

#[test]
fn what_is_not_said_is_as_toxiproxy_has_it() {
    let toxic = create(json!({ "type": "latency" })).unwrap();
    assert_eq!(toxic.name, "latency_downstream");
    assert_eq!(toxic.stream, Stream::Downstream);
    assert_eq!(toxic.kind, Kind::Latency(Latency { latency: 0, jitter: 0 }));
    let shown = json!({
        "attributes": { "latency": 0, "jitter": 0 }, "name": "latency_downstream",
        "type": "latency", "stream": "downstream", "toxicity": 1.0
    });
    assert_eq!(toxic.to_json(), shown);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let refused = |body| create(body).unwrap_err();
    assert_eq!(refused(json!({ "type": "walrus" })), (400, "invalid toxic type".to_owned()));
    assert_eq!(refused(json!({ "type": "latency", "stream": "sideways" })).0, 400);
    assert_eq!(refused(json!({ "type": "latency", "toxicity": 1.5 })).0, 400);
    assert_eq!(refused(json!({ "type": "latency", "attributes": { "latency": "long" } })).0, 400);
    let (_, reason) = refused(json!({ "type": "packet_loss" }));
    assert!(reason.contains("link of the lab"), "{reason}");
    assert_eq!(Toxic::create(b"{", Instant::now(), LIFE).unwrap_err().status, 400);
}

#[test]
fn an_update_changes_only_what_it_names() {
    let now = Instant::now();
    let mut toxic =
        create(json!({ "type": "latency", "attributes": { "latency": 100, "jitter": 10 } }))
            .unwrap();
    toxic.update(br#"{"attributes": {"latency": 1000}, "toxicity": 0.5}"#, now, LIFE).unwrap();
    assert_eq!(toxic.kind, Kind::Latency(Latency { latency: 1000, jitter: 10 }));
    toxic.update(br#"{"attributes": {"jitter": 20}}"#, now, LIFE).unwrap();
    assert_eq!(toxic.kind, Kind::Latency(Latency { latency: 1000, jitter: 20 }));
    assert_eq!(toxic.toxicity, 0.5);
    let before = toxic.clone();
    assert!(toxic.update(br#"{"toxicity": -3}"#, now, LIFE).is_err());
    assert_eq!(toxic, before);
}

#[test]
fn a_toxic_lives_no_longer_than_is_allowed() {
    let now = Instant::now();
    let long = Toxic::create(br#"{"type": "noop", "ttl_ms": 999999999}"#, now, LIFE).unwrap();
    assert_eq!(long.expires, now + LIFE);
    let short = Toxic::create(br#"{"type": "noop", "ttl_ms": 50}"#, now, LIFE).unwrap();
    assert_eq!(short.expires, now + Duration::from_millis(50));
}
