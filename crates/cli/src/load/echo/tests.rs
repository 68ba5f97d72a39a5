use std::time::Duration;

use bulkhead_load::{
    Arrivals, Load, LoadOptions, MessageKind, Process, Protocol, Schedule, TargetOptions, Upgrade,
};
use bulkhead_origin::{Origin, OriginOptions};

use super::*;

#[track_caller]
fn check(path: &str, workload: &EchoWorkload, ok: u64, failures: &[(&'static str, u64)]) {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let kind = MessageKind::Text;
    let target = TargetOptions {
        connections: 2,
        websocket: Some(Upgrade { kind, ..Upgrade::new(path, "a.example") }),
        ..TargetOptions::new(origin.addr(), Protocol::WebSocket)
    };
    let schedule = Schedule::constant(1_000.0, Process::Constant, 1);
    let options = LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_millis(50));
    let report = Load::start(options, |_| Box::new(workload.clone())).unwrap().finish();
    assert_eq!(report.ok, ok, "{:?}", report.failure_samples);
    let seen: Vec<_> = report.classes[0].failures.iter().map(|(&kind, &n)| (kind, n)).collect();
    assert_eq!(seen, failures);
    assert_eq!(origin.stats().websocket_messages(), 50);
}

#[test]
fn messages_that_come_back_are_right_and_others_are_not() {
    for workload in [
        EchoWorkload::numbered(0),
        EchoWorkload::bytes(b"hello".to_vec(), 0),
        EchoWorkload::text(r#"{"user": {user:uniform(1,9)}}"#, 1, 0).unwrap(),
    ] {
        check("/ws", &workload, 50, &[]);
        check("/ws-wrong", &workload, 0, &[("wrong_body", 50)]);
    }
    assert!(EchoWorkload::text("{a:uniform(1)}", 1, 0).is_err());
}
