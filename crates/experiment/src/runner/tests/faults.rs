//! Faults of the lab in a run: taken back whatever happens, each way of going wrong with its verdict.

use super::*;

const NATIVE: &str = "
steady-state-hypothesis:
  title: h
  probes: [{type: probe, name: p, tolerance: 0, provider: {type: process, path: ok}}]
method:
- type: action
  name: kill
  provider:
    type: python
    module: chaosbulkhead.actions
    func: inject
    arguments: {fault: {gateway: {kill_worker: {worker: 0}}}, target: {gateway: {admin: '127.0.0.1:1'}}}
- {type: action, name: wait, provider: {type: process, path: ok-3000}}
extensions: [{name: bulkhead, seed: 7, ttl: 30s, abort: [{probe: p, for: 1s}], recovery: 2s}]
";

/// A lab in which injections end up in this state, and reverts in that.
fn lab(injected: &str, reverted: &str) -> impl FnMut(&Call, u64) -> Answer {
    let (injected, reverted) = (injected.to_owned(), reverted.to_owned());
    move |call, now| match call {
        Call::Lab(LabCall::Inject(injection)) => {
            assert_eq!(injection.time_to_live, Duration::from_secs(30));
            Some((5, Outcome::Lab(json!({"id": injection.id, "state": injected}))))
        }
        Call::Lab(LabCall::Revert(Wanted::These(ids))) => {
            let states = ids.iter().map(|id| json!({"id": id, "state": reverted}));
            Some((5, Outcome::Lab(states.collect())))
        }
        _ => by_path(call, now),
    }
}

#[test]
fn faults_are_taken_back_whatever_the_strategy_is_and_the_hypothesis_looked_at_once_more() {
    let never = Options { rollback_strategy: Some(RollbackStrategy::Never), ..options() };
    let mut world = World::new(lab("active", "reverted"));
    let ended = world.run(runner(NATIVE, never));
    let journal = ended.journal();
    assert!(world.begun.contains(&"revert 1@3005".to_owned()), "{:?}", world.begun);
    let ours = &journal["bulkhead"];
    assert_eq!(ours["injections"][0]["state"], "reverted");
    assert_eq!(ours["injections"][0]["activity"], "kill");
    assert_eq!(ours["steady_state_after_revert"]["steady_state_met"], true);
    assert_eq!(ours["recovery_s"], 0.0);
    assert_eq!(ours["seed"], 7);
    assert_eq!(ours["exit_status"], 0);
    // The same seed and time give the same ids, so that a run can be found in the lab's log.
    let again = World::new(lab("active", "reverted")).run(runner(NATIVE, options()));
    assert_eq!(again.journal()["bulkhead"]["injections"][0]["id"], ours["injections"][0]["id"]);
}

#[test]
fn each_way_in_which_a_fault_goes_wrong_has_its_own_verdict() {
    for (injected, reverted, status) in [
        ("active", "reverted", 0),
        ("reverted", "reverted", 0),
        ("not_effective", "reverted", 2),
        ("refused", "reverted", 2),
        ("unknown", "reverted", 2),
        ("active", "revert_failed", 3),
        ("active", "verifying_revert", 3),
        ("active", "expired", 0),
        ("unknown", "unknown", 3),
    ] {
        let ended = World::new(lab(injected, reverted)).run(runner(NATIVE, options()));
        let verdict = ended.verdict();
        assert_eq!(verdict.outcome().exit_status(), status, "{injected} {reverted} {verdict:?}");
    }
    // No answer: the fault may be in force, so taking it back is tried.
    let mut world = World::new(|call, now| match call {
        Call::Lab(_) => Some((0, Outcome::Failed("no lab".to_owned()))),
        _ => by_path(call, now),
    });
    let ended = world.run(runner(NATIVE, options()));
    assert!(world.begun.iter().any(|call| call.starts_with("revert 1")), "{:?}", world.begun);
    assert_eq!(ended.verdict().outcome().exit_status(), 3);
}

#[test]
fn what_the_lab_turned_away_is_not_taken_back() {
    let provider = "{type: python, module: chaosbulkhead.actions, func: revert_all}";
    let all = format!("rollbacks: [{{type: action, name: all, provider: {provider}}}]");
    // Of an id that it does not know the lab can only say that it does not know it.
    let mut world = World::new(lab("refused", "unknown"));
    let ended = world.run(runner(&format!("{NATIVE}{all}\n"), options()));
    let journal = ended.journal();
    assert_eq!(journal["bulkhead"]["injections"][0]["state"], "refused");
    assert_eq!(journal["rollbacks"][0]["status"], "succeeded");
    assert_eq!(journal["rollbacks"][0]["output"], json!([]));
    assert_eq!(ended.verdict().outcome().exit_status(), 2);
}

#[test]
fn a_condition_that_lasts_aborts_the_method_and_the_hypothesis_may_recover() {
    let mut inner = lab("active", "reverted");
    // Broken from 1 s to 4 s.
    let mut world = World::new(move |call, now| match call {
        Call::Process(process) if process.path == "ok" && (1_000..4_000).contains(&now) => {
            Some((0, exits(1)))
        }
        Call::Process(process) if process.path == "ok-3000" => None,
        _ => inner(call, now),
    });
    let ended = world.run(runner(NATIVE, options()));
    let journal = ended.journal();
    assert_eq!(journal["status"], "aborted");
    assert_eq!(journal["bulkhead"]["aborted_by"]["probe"], "p");
    assert_eq!(journal["bulkhead"]["injections"][0]["state"], "reverted");
    let recovery = journal["bulkhead"]["recovery_s"].as_f64().unwrap();
    assert!((1.5..2.1).contains(&recovery), "{recovery}");
    assert_eq!(ended.verdict().outcome().exit_status(), 1);
    assert_eq!(world.cancelled, 1);
}

#[test]
fn a_condition_that_hangs_does_not_hold_the_run() {
    let mut inner = lab("active", "reverted");
    let mut world = World::new(move |call, now| match call {
        Call::Process(process) if process.path == "ok" && (500..3_000).contains(&now) => None,
        _ => inner(call, now),
    });
    let ended = world.run(runner(NATIVE, options()));
    assert_eq!(ended.journal()["status"], "completed");
    assert_eq!(world.cancelled, 1);
}

#[test]
fn each_victim_of_a_blast_radius_is_taken_back() {
    let target = "target: {gateway: {admin: '127.0.0.1:1'}}";
    let targets = "targets: [{target: host}]";
    let of_the_extension =
        NATIVE.replace(target, targets).replace("seed: 7,", "seed: 7, blast_radius: {count: 2},");
    let of_the_fault = NATIVE
        .replace(target, &format!("{targets}, blast_radius: {{count: 2}}"))
        .replace("seed: 7,", "seed: 7, blast_radius: {percent: 50},");
    for text in [of_the_extension, of_the_fault] {
        let mut world = World::new(|call, now| match call {
            Call::Lab(LabCall::Inject(injection)) => {
                assert_eq!(injection.blast_radius, Some(json!({"count": 2})));
                let victims =
                    json!([{"id": "a", "state": "active"}, {"id": "b", "state": "active"}]);
                let answer = json!({"id": "a", "state": "active", "injections": victims});
                Some((5, Outcome::Lab(answer)))
            }
            Call::Lab(LabCall::Revert(Wanted::These(ids))) => {
                assert_eq!(ids, &["a", "b"]);
                let states =
                    json!([{"id": "a", "state": "reverted"}, {"id": "b", "state": "reverted"}]);
                Some((5, Outcome::Lab(states)))
            }
            _ => by_path(call, now),
        });
        let ended = world.run(runner(&text, options()));
        assert_eq!(ended.verdict().outcome().exit_status(), 0, "{:?}", ended.verdict());
        assert_eq!(ended.journal()["bulkhead"]["injections"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn labels_and_approval_come_with_the_order_and_a_fault_that_is_not_permitted_has_its_own_verdict() {
    let approved = "019ad2c1-6c3e-7b1a-9f00-5d0c8f1e2a3b";
    let production = |approval: &str| {
        let arguments = format!(
            "target: {{gateway: {{admin: '127.0.0.1:1'}}}}, labels: {{environment: production}}, \
             approval: '{approval}'"
        );
        NATIVE.replace("target: {gateway: {admin: '127.0.0.1:1'}}", &arguments)
    };
    let run = |approval: &str| {
        let mut inner = lab("active", "reverted");
        let mut world = World::new(move |call, now| match call {
            Call::Lab(LabCall::Inject(injection)) if injection.approval.is_none() => {
                assert_eq!(injection.labels["environment"], "production");
                let answer = json!({
                    "id": injection.id, "state": "refused", "forbidden": true, "reason": "approve it first",
                });
                Some((5, Outcome::Lab(answer)))
            }
            Call::Lab(LabCall::Inject(injection)) => {
                assert_eq!(injection.approval.unwrap().to_string(), approved);
                inner(call, now)
            }
            _ => inner(call, now),
        });
        world.run(runner(&production(approval), options())).verdict()
    };
    assert_eq!(run(approved).outcome().exit_status(), 0);
    let refused = run("");
    assert_eq!(refused.outcome().exit_status(), 4, "{refused:?}");
    assert!(refused.reasons[0].contains("does not permit the fault of kill"), "{refused:?}");
    assert!(refused.reasons.iter().any(|it| it.contains("approve it first")), "{refused:?}");
}
