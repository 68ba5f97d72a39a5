use bulkhead_experiment::{Environment, Syntax};

use super::*;
use crate::prove::document::tests::of;
use crate::prove::faults::FaultEvent;
use crate::prove::link::tests::link;
use crate::prove::verdict::tests::{plan, storm};
use crate::prove::weather::{Place, Weather};

struct Everything;

impl Environment for Everything {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn is_executable(&self, _: &str) -> bool {
        true
    }
}

/// A storm with a kill, a fault of the profile and a link.
fn everything() -> (Plan, Document) {
    let (mut plan, mut storm) = (plan(), storm());
    plan.profile.link = Some(Weather::at(Place::Client));
    let fault = Fault::Gateway(GatewayFault::SlowLog { delay_ms: 500 });
    let timed = TimedFault {
        at: Duration::from_millis(500),
        lasts: Duration::from_secs(1),
        fault: fault.clone(),
    };
    plan.profile.faults = vec![timed];
    storm.faults = vec![FaultEvent {
        id: "storm-0".to_owned(),
        kind: fault.kind(),
        fault,
        at_s: 0.5,
        until_s: Some(1.5),
        took_hold: true,
        hits: 0,
        error: None,
    }];
    storm.link = Some(link());
    (plan, of(&storm))
}

fn journal() -> Value {
    let (plan, document) = everything();
    render(&plan, &document, Duration::from_secs(990))
}

#[test]
fn what_was_done_is_told_with_its_times() {
    let journal = journal();
    let names: Vec<_> = journal["run"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["activity"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["network.loss on the client link", "fault 1: gateway.slow_log", "kill 1: worker 3"]
    );
    assert_eq!(journal["experiment"]["method"][2]["pauses"]["before"], 0.5);
    let injections = &journal["bulkhead"]["injections"];
    for (place, state, since, until) in [
        (0, "reverted", "1970-01-01T00:16:39+00:00", "1970-01-01T00:16:46+00:00"),
        (1, "expired", "1970-01-01T00:16:40.500000+00:00", "1970-01-01T00:16:41.500000+00:00"),
        (2, "reverted", "1970-01-01T00:16:41.002000+00:00", "1970-01-01T00:16:41.010000+00:00"),
    ] {
        let told = &injections[place];
        assert_eq!(told["state"], state);
        assert_eq!(
            told["kind"],
            ["network.loss", "gateway.slow_log", "gateway.kill_worker"][place]
        );
        assert_eq!((&told["since"], &told["until"]), (&json!(since), &json!(until)), "{place}");
        assert_eq!(journal["run"][place]["status"], "succeeded");
    }
    assert_eq!(journal["rollbacks"][0]["status"], "succeeded");
    assert_eq!(journal["status"], "completed");
    assert!(journal["bulkhead"]["command"].as_str().unwrap().starts_with("bulkhead prove "));
}

#[test]
fn the_hypothesis_is_looked_at_before_meanwhile_and_after() {
    let states = &journal()["steady_states"];
    assert_eq!(states["before"]["steady_state_met"], true);
    assert_eq!(states["during"].as_array().unwrap().len(), 3);
    assert_eq!(states["after"]["steady_state_met"], true);
    let (plan, mut document) = everything();
    document.timeline[1].row.failed = 2;
    let failed = document.checks.iter_mut().find(|check| check.name == "requests_failed").unwrap();
    (failed.pass, failed.value) = (false, 2.0);
    let journal = render(&plan, &document, Duration::from_secs(990));
    let states = &journal["steady_states"];
    let met = |state: &Value| state["steady_state_met"] == true;
    assert!(met(&states["before"]) && met(&states["during"][0]) && !met(&states["during"][1]));
    assert!(!met(&states["after"]));
    assert_eq!((&journal["deviated"], &journal["status"]), (&json!(true), &json!("completed")));
}

/// The reader of experiments takes what the journal says was the experiment, and the keys are those that a
/// journal of Chaos Toolkit has.
#[test]
fn the_journal_is_one() {
    let journal = journal();
    let text = journal["experiment"].to_string();
    let parsed = bulkhead_experiment::parse(&text, "e.json", Syntax::Json, &Everything);
    let (_, warnings) = parsed.map_err(|errors| errors.to_string()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let keys = ["chaoslib-version", "platform", "node", "start", "end", "duration"];
    assert!(keys.iter().all(|key| !journal[key].is_null()), "{journal:#}");
    for record in journal["run"].as_array().unwrap() {
        for key in ["activity", "output", "start", "end", "duration", "status"] {
            assert!(!record[key].is_null(), "{key}: {record:#}");
        }
    }
}

#[test]
fn faults_that_did_not_do_their_work_are_not_told_as_if() {
    let (plan, document) = everything();
    let state = |change: fn(&mut Document), place: usize| {
        let mut document = document.clone();
        change(&mut document);
        let journal = render(&plan, &document, Duration::from_secs(990));
        let told = journal["bulkhead"]["injections"][place]["state"].as_str().unwrap().to_owned();
        (told, journal["run"][place]["status"] == "succeeded")
    };
    let is = |state: &str, succeeded| (state.to_owned(), succeeded);
    assert_eq!(
        state(|d| d.link.as_mut().unwrap().reverted = Some(false), 0),
        is("revert_failed", true)
    );
    assert_eq!(
        state(|d| d.link.as_mut().unwrap().probes_held = Some(false), 0),
        is("not_effective", false)
    );
    let lapses = |d: &mut Document| d.link.as_mut().unwrap().lapsed = Some("late".to_owned());
    assert_eq!(state(lapses, 0), is("expired", true));
    assert_eq!(state(|d| d.faults[0].took_hold = false, 1), is("not_effective", false));
    assert_eq!(state(|d| d.faults[0].until_s = None, 1), is("active", true));
    assert_eq!(state(|d| d.workers.kills[0].came_back = false, 2), is("revert_failed", true));
    assert_eq!(
        state(|d| d.workers.kills[0].error = Some("dying".to_owned()), 2),
        is("failed", false)
    );
}
