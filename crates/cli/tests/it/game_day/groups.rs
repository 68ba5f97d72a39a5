//! The groups of a fault, compared: requests by `bulkhead load`, counts by the gateway, faults by the lab.

use super::*;

const COMPARED: &str = include_str!("../../../../../examples/chaos/control-group.yaml");

/// Machines are busy: a margin that nothing but a fault passes.
fn patient() -> String {
    let text =
        COMPARED.replace("margin: 200ms", "margin: 20s").replace("duration, 5s", "duration, 3s");
    assert!(text.contains("margin: 20s") && text.contains("3s"));
    text
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_groups_of_a_fault_are_compared_with_what_the_gateway_counted() {
    let day = GameDay::begin();
    let (held, journal) = day.run(&patient(), &[]);
    assert_eq!(held.status.code(), Some(0), "{held:?} {journal:#}");
    let ours = &journal["bulkhead"];
    let comparison = &ours["comparisons"][0];
    let requests = |group: &str| comparison[group].as_u64().unwrap();
    let (control, experiment) = (requests("control_requests"), requests("experiment_requests"));
    assert!(control > 200 && experiment > 200, "{comparison:#}");
    let latency = &comparison["measures"][1];
    let (slow, normal) =
        (latency["experiment"].as_f64().unwrap(), latency["control"].as_f64().unwrap());
    assert!(slow >= 20.0 && slow > normal, "{comparison:#}");
    assert!(latency["p_value"].as_f64().unwrap() < 1e-6, "{comparison:#}");
    let fault = &ours["injections"][0];
    assert_eq!(fault["kind"], "http.delay", "{fault:#}");
    assert_eq!(fault["hits"].as_u64(), Some(experiment), "{fault:#}");
    assert_eq!(fault["error_budget"]["failures"], 0, "{fault:#}");
    let all = fault["error_budget"]["requests"].as_u64().unwrap();
    // Its last look may be earlier than the end of the groups by some requests, not by half of them.
    assert!(all > control.max(experiment), "{fault:#}");
    assert!(told(&held).contains("groups of slow-half-of-them: held"), "{}", told(&held));
    assert!(told(&held).contains("0 % of the error budget"), "{}", told(&held));

    // The same groups, of which one gets errors.
    let errors =
        patient().replace("delay: {delay_ms: 20, direction: request}", "abort: {status: 503}");
    let (deviated, journal) = day.run(&errors, &[]);
    assert_eq!(deviated.status.code(), Some(1), "{deviated:?} {journal:#}");
    let measures = &journal["bulkhead"]["comparisons"][0]["measures"];
    assert_eq!(measures[0]["answer"], "deviated", "{measures:#}");
    assert_eq!(measures[0]["experiment"], 1.0, "{measures:#}");
    let fault = &journal["bulkhead"]["injections"][0];
    assert_eq!(fault["error_budget"]["answer"], "deviated", "{fault:#}");
    assert!(told(&deviated).contains("did worse than the control group"), "{}", told(&deviated));
}

/// It was in force, and nobody came.
#[test]
fn a_fault_that_no_request_met_is_not_effective() {
    let day = GameDay::begin();
    let nobody = EXPERIMENT.replace("x-test-client}]", "x-nobody}]");
    assert_ne!(nobody, EXPERIMENT);
    let (output, journal) = day.run(&nobody, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?} {journal:#}");
    assert_eq!(states(&journal), ["reverted", "reverted"]);
    assert_eq!(journal["bulkhead"]["outcome"], "not_effective");
    assert_eq!(journal["bulkhead"]["injections"][0]["hits"], 0);
    assert_eq!(journal["bulkhead"]["verdict"]["hypothesis"], "held");
    assert!(told(&output).contains("nothing met the fault"), "{}", told(&output));
}
