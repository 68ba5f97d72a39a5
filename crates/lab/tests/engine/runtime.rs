use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use bulkhead_chaos::{
    AuditHead, BlastRadius, Call, Caller, Candidate, EngineOptions, Extent, Forbidden,
    InjectionReport, Policy, Rejection, Role, Rounding, State, Target,
};
use bulkhead_lab::{Denied, Lab, LabError, Registry, Until, audit_path, lever_path};

use crate::fake::{Fake, Trouble};
use crate::stage::{Directory, PATIENCE, ann, request};

fn settle(lab: &Lab) -> InjectionReport {
    let ordered = lab.order(&ann(), &request()).unwrap();
    lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0)
}

fn take_back(lab: &Lab, report: &InjectionReport) -> InjectionReport {
    lab.stop(&ann(), report.id, "enough").unwrap();
    lab.wait(&[report.id], Until::Ended, PATIENCE).remove(0)
}

#[test]
fn a_fault_is_injected_seen_taken_back_and_seen_gone() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let (_, mut events) = lab.subscribe(0);
    let active = settle(&lab);
    assert_eq!((active.state, active.attempts, fake.left()), (State::Active, 1, 1));
    assert!(active.inject_ms.is_some() && active.detail.as_ref().unwrap().contains("true"));
    let ended = take_back(&lab, &active);
    assert_eq!((ended.state, fake.left()), (State::Reverted, 0));
    let mut told = Vec::new();
    while let Ok(happening) = events.try_recv() {
        told.push(happening.state.name());
    }
    assert_eq!(
        told.join(" "),
        "intended permitted dispatched injecting verifying active reverting verifying_revert reverted"
    );
    assert_eq!(lab.close(PATIENCE), 0);
    let audit = fs::read_to_string(audit_path(&directory.options().directory)).unwrap();
    assert!(AuditHead::verify(&audit, None).unwrap().entries >= 5, "{audit}");
    for action in ["inject", "permitted", "active", "revert", "reverted"] {
        assert!(audit.contains(&format!("\"action\":\"{action}\"")), "{action}: {audit}");
    }
}

#[track_caller]
fn check(troubles: &[(Call, &[Trouble])], expected: State, attempts: u32) {
    let directory = Directory::new();
    let fake = directory.fake();
    for (call, troubles) in troubles {
        fake.script(*call, troubles);
    }
    let lab = directory.lab(&fake);
    let settled = settle(&lab);
    assert_eq!((settled.state, settled.attempts), (expected, attempts), "{settled:?}");
    lab.close(PATIENCE);
    assert_eq!(fake.left(), 0);
}

#[test]
fn what_goes_wrong_is_tried_again_or_taken_back() {
    use Trouble::{Nothing, Panic, Permanent, Transient, Unknown};
    check(&[(Call::Inject, &[Transient, Transient])], State::Active, 3);
    check(&[(Call::Inject, &[Unknown])], State::Active, 2);
    check(&[(Call::Inject, &[Panic])], State::Active, 2);
    check(&[(Call::Verify, &[Unknown])], State::Active, 2);
    check(&[(Call::Inject, &[Permanent])], State::Failed, 1);
    check(&[(Call::Inject, &[Transient; 4])], State::Failed, 4);
    check(&[(Call::Prepare, &[Permanent])], State::Refused, 0);
    check(&[(Call::Prepare, &[Panic])], State::Failed, 0);
    check(&[(Call::Inject, &[Nothing; 4])], State::NotEffective, 4);
}

/// The lab's own mutation check: an injector that does nothing is found out.
#[test]
fn an_injector_that_does_nothing_is_not_effective() {
    let directory = Directory::new();
    let fake = directory.fake();
    fake.script(Call::Inject, &[Trouble::Nothing; 100]);
    let lab = directory.lab(&fake);
    assert_eq!(settle(&lab).state, State::NotEffective);
}

#[test]
fn taking_back_is_tried_until_it_is_done() {
    let directory = Directory::new();
    let fake = directory.fake();
    fake.script(Call::Revert, &[Trouble::Nothing, Trouble::Transient, Trouble::Panic]);
    let mut options = directory.options();
    options.engine.reconcile_ms = 10;
    let lab = Lab::open(options, Registry::new().with(fake.clone())).unwrap();
    let active = settle(&lab);
    assert_eq!((take_back(&lab, &active).state, fake.left()), (State::Reverted, 0));
}

#[test]
fn an_inject_that_hangs_and_strikes_late_is_taken_back_all_the_same() {
    let directory = Directory::new();
    let fake = directory.fake();
    fake.script(Call::Inject, &[Trouble::Hang(Duration::from_millis(400)); 1]);
    let mut options = directory.options();
    options.engine =
        EngineOptions { overall_ms: 100, retries: 0, reconcile_ms: 20, ..EngineOptions::default() };
    let lab = Lab::open(options, Registry::new().with(fake.clone())).unwrap();
    let ordered = lab.order(&ann(), &request()).unwrap();
    let ended = lab.wait(&ordered.ids, Until::Ended, PATIENCE).remove(0);
    assert_eq!((ended.state, ended.timed_out, fake.left()), (State::Failed, true, 0));
}

#[test]
fn a_time_to_live_ends_it() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let mut short = request();
    short.ttl = "1s".parse().unwrap();
    let ordered = lab.order(&ann(), &short).unwrap();
    let ended = lab.wait(&ordered.ids, Until::Ended, PATIENCE).remove(0);
    assert_eq!((ended.state, fake.left()), (State::Expired, 0));
}

#[test]
fn the_same_order_is_the_same_injection() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let active = settle(&lab);
    let mut again = request();
    again.id = Some(active.id);
    assert_eq!(lab.order(&ann(), &again).unwrap().ids, [active.id]);
    again.ttl = "61s".parse().unwrap();
    let conflict = Denied::Rejected(Rejection::Conflict(active.id));
    assert_eq!(lab.order(&ann(), &again), Err(conflict));
    take_back(&lab, &active);
    lab.close(PATIENCE);
    // Another lab remembers it too.
    let lab = directory.lab(&fake);
    again.ttl = "60s".parse().unwrap();
    assert_eq!(lab.order(&ann(), &again).unwrap().ids, [active.id]);
    assert_eq!((lab.injection(active.id).unwrap().state, fake.left()), (State::Reverted, 0));
}

#[test]
fn the_lever_is_a_file_that_anybody_with_a_shell_can_pull() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let active = settle(&lab);
    let lever = lever_path(&directory.options().directory);
    fs::write(&lever, "").unwrap();
    let ended = lab.wait(&[active.id], Until::Ended, PATIENCE).remove(0);
    assert_eq!((ended.state, fake.left()), (State::Reverted, 0));
    let engaged = Err(Denied::Rejected(Rejection::LeverEngaged));
    assert_eq!(lab.order(&ann(), &request()).map(|_| ()), engaged);
    lab.close(PATIENCE);
    // It holds over restarts, and only an approver releases it.
    let lab = directory.lab(&fake);
    assert!(lab.status().lever_engaged);
    let operator = Caller { name: "bob".to_owned(), role: Role::Operator };
    assert!(matches!(
        lab.set_lever(&operator, false),
        Err(Denied::Forbidden(Forbidden::Role { .. }))
    ));
    lab.set_lever(&ann(), false).unwrap().unwrap();
    assert!(!lever.exists());
    assert_eq!(settle(&lab).state, State::Active);
    lab.set_lever(&operator, true).unwrap().unwrap();
    assert!(lever.exists() && lab.status().lever_engaged);
}

fn many() -> bulkhead_chaos::InjectRequest {
    let mut many = request();
    many.target = None;
    many.seed = Some(7);
    many.targets = (0..8)
        .map(|index| Candidate {
            target: Target::Link { name: format!("link{index}") },
            labels: [("environment".to_owned(), "production".to_owned())].into(),
        })
        .collect();
    many.blast_radius = Some(BlastRadius {
        extent: Extent::Percent(25.0),
        rounding: Rounding::Ceil,
        labels: Default::default(),
        min_survivors: 1,
    });
    many
}

#[test]
fn a_dry_run_names_the_victims_and_the_rules_and_touches_nothing() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let viewer = Caller { name: "eve".to_owned(), role: Role::Viewer };
    let dry = lab.dry_run(&viewer, &many()).unwrap();
    assert_eq!((dry.victims.targets.len(), dry.seed, dry.needs_approval), (2, 7, true));
    assert!(dry.rules.iter().all(|rule| rule.rules.as_ref().unwrap()["file"].is_string()));
    assert!(dry.forbidden.unwrap().contains("Operator"));
    assert_eq!((fake.left(), lab.status().remembered), (0, 0));
}

#[test]
fn production_needs_the_approval_of_somebody_else() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let bob = Caller { name: "bob".to_owned(), role: Role::Operator };
    let mut order = many();
    let unapproved = Err(Denied::Forbidden(Forbidden::Unapproved));
    assert_eq!(lab.order(&bob, &order).map(|_| ()), unapproved);
    let approval = lab.approve(&ann(), &order, Duration::from_secs(60)).unwrap();
    order.approval = Some(approval.id);
    assert_eq!(lab.order(&ann(), &order).map(|_| ()), unapproved, "one's own is none");
    let ordered = lab.order(&bob, &order).unwrap();
    let active = lab.wait(&ordered.ids, Until::Settled, PATIENCE);
    assert!(active.len() == 2 && active.iter().all(|it| it.state == State::Active));
    assert_eq!(fake.left(), 2);
    assert_eq!(lab.order(&bob, &order).map(|_| ()), unapproved, "it was used");
}

/// A gateway's admin server that tells one number after the other.
fn metrics(values: Vec<&'static str>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { break };
            let mut bytes = [0; 1_024];
            let _ = stream.read(&mut bytes);
            let value = values[turn.min(values.len() - 1)];
            let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\nbulkhead_success_ratio {value}\n");
        }
    });
    address
}

/// One that tells them a single time, and is gone then.
fn metrics_once() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1_024]);
        drop(listener);
        let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\nbulkhead_success_ratio 1\n");
    });
    address
}

fn guarded_by(admin: std::net::SocketAddr) -> bulkhead_chaos::InjectRequest {
    let mut guarded = request();
    guarded.abort = vec![
        serde_json::from_value(serde_json::json!({
            "admin": admin, "metric": "bulkhead_success_ratio", "is": "below", "threshold": 0.95,
        }))
        .unwrap(),
    ];
    guarded
}

#[test]
fn a_metric_breaks_it_off() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let admin = metrics(vec!["1", "0.99", "0.2"]);
    let ordered = lab.order(&ann(), &guarded_by(admin)).unwrap();
    let ended = lab.wait(&ordered.ids, Until::Ended, PATIENCE).remove(0);
    assert_eq!((ended.state, fake.left()), (State::Reverted, 0));
    assert!(ended.ending_reason.unwrap().contains("is 0.2, and the limit 0.95"));
    lab.close(PATIENCE);
    let audit = fs::read_to_string(audit_path(&directory.options().directory)).unwrap();
    assert!(audit.contains("abort condition: `bulkhead_success_ratio` is 0.2"), "{audit}");
}

#[test]
fn a_metric_that_cannot_be_read_breaks_it_off_too() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    // Nobody listens any more once the order is there.
    let ordered = lab.order(&ann(), &guarded_by(metrics_once())).unwrap();
    let ended = lab.wait(&ordered.ids, Until::Ended, PATIENCE).remove(0);
    assert_eq!((ended.state, fake.left()), (State::Reverted, 0));
    let why = ended.ending_reason.unwrap();
    assert!(why.contains("`bulkhead_success_ratio` could not be read"), "{why}");
}

#[test]
fn an_order_that_nobody_could_break_off_is_turned_away() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    let mut misspelt = guarded_by(metrics(vec!["1"]));
    misspelt.abort[0].metric = "bulkhead_sucess_ratio".to_owned();
    let gone = guarded_by(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for (order, why) in [(misspelt, "`bulkhead_sucess_ratio`"), (gone, "does not tell")] {
        let dry = lab.dry_run(&ann(), &order).unwrap();
        assert!(dry.forbidden.unwrap().contains(why));
        let denied = lab.order(&ann(), &order).unwrap_err();
        assert!(matches!(&denied, Denied::Blind(told) if told.contains(why)), "{denied}");
    }
    assert_eq!((fake.left(), lab.status().remembered), (0, 0));
}

#[test]
fn one_directory_is_for_one_lab_and_kinds_without_injector_are_refused() {
    let directory = Directory::new();
    let lab = Lab::open(directory.options(), Registry::new()).unwrap();
    let second = Lab::open(directory.options(), Registry::new());
    assert!(matches!(second, Err(LabError::InUse { .. })));
    assert_eq!(settle(&lab).state, State::Refused);
}

#[test]
fn rules_hold_for_who_and_what() {
    let directory = Directory::new();
    let fake = directory.fake();
    let mut options = directory.options();
    options.policy = Policy { kinds: vec!["process.stop".to_owned()], ..Policy::default() };
    let lab = Lab::open(options, Registry::new().with(fake)).unwrap();
    let kind = Forbidden::Kind("network.partition".to_owned());
    assert_eq!(lab.order(&ann(), &request()), Err(Denied::Forbidden(kind)));
    let viewer = Caller { name: "eve".to_owned(), role: Role::Viewer };
    assert!(matches!(
        lab.order(&viewer, &request()),
        Err(Denied::Forbidden(Forbidden::Role { .. }))
    ));
    assert!(matches!(lab.stop_all(&viewer, ""), Err(Denied::Forbidden(Forbidden::Role { .. }))));
}

#[test]
fn a_journal_that_is_damaged_is_told_not_ignored() {
    let directory = Directory::new();
    let fake = directory.fake();
    let lab = directory.lab(&fake);
    take_back(&lab, &settle(&lab));
    lab.close(PATIENCE);
    let journal = directory.options().directory.join("journal");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("network", "netwurk", 1)).unwrap();
    let opened = Lab::open(directory.options(), Registry::new().with(Fake::default()));
    assert!(matches!(opened, Err(LabError::Damaged(_))), "{opened:?}");
}
