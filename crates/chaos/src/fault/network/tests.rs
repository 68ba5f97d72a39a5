use std::time::Duration;

use super::{NetworkFault, NetworkFaultError};
use crate::link::{DnsAct, Impairment, LossLaw, ResetLaw};

fn fault(json: &str) -> NetworkFault {
    serde_json::from_str(json).unwrap()
}

fn refused(json: &str) -> NetworkFaultError {
    fault(json).check().unwrap_err()
}

const BERNOULLI: &str = r#""model": {"bernoulli": {"percent": 12}}"#;

#[test]
fn what_is_ambiguous_is_refused() {
    let error = refused(r#"{"partition": {}}"#);
    assert_eq!(error, NetworkFaultError::NoDirection);
    assert!(error.to_string().contains("add `direction: upstream`"), "{error}");
    assert_eq!(refused(&format!(r#"{{"loss": {{{BERNOULLI}}}}}"#)), NetworkFaultError::NoDirection);
    assert_eq!(
        refused(&format!(r#"{{"loss": {{"direction": "both", {BERNOULLI}}}}}"#)),
        NetworkFaultError::NoPer
    );
    let delay = |rest: &str| {
        refused(&format!(r#"{{"delay": {{"direction": "upstream", "base_ms": 40 {rest}}}}}"#))
    };
    assert_eq!(delay(r#", "jitter_ms": 40"#), NetworkFaultError::NoDistribution);
    assert_eq!(
        delay(r#", "jitter_ms": 40, "distribution": "uniform""#),
        NetworkFaultError::NoReorderPolicy
    );
    assert_eq!(
        refused(r#"{"delay": {"direction": "both", "base_ms": 40}}"#),
        NetworkFaultError::NoPer
    );
}

#[test]
fn what_is_impossible_is_refused() {
    let delay = |base: f64, jitter: f64, distribution: &str| {
        fault(&format!(
            r#"{{"delay": {{"direction": "upstream", "base_ms": {base}, "jitter_ms": {jitter},
                "distribution": "{distribution}", "reorder": "allow"}}}}"#
        ))
        .check()
    };
    let needed = |result| match result {
        Err(NetworkFaultError::JitterOverBase { needed_ms, .. }) => Some(needed_ms),
        _ => None,
    };
    assert_eq!(needed(delay(25.0, 40.0, "uniform")), Some(40.0));
    assert_eq!(needed(delay(40.0, 40.0, "uniform")), None);
    assert_eq!(needed(delay(40.0, 20.0, "normal")), Some(60.0));
    assert!(delay(0.0, 20.0, "pareto").is_ok());
    assert_eq!(delay(0.0, 0.0, "pareto"), Err(NetworkFaultError::NoDelay));
    assert!(delay(59_000.0, 2_000.0, "uniform").is_err());
    assert!(delay(-1.0, 0.0, "uniform").is_err());

    for percent in ["0", "-1", "100.1"] {
        let share = format!(r#"{{"corrupt": {{"direction": "upstream", "percent": {percent}}}}}"#);
        assert!(matches!(refused(&share), NetworkFaultError::Percent { .. }), "{percent}");
    }
    assert_eq!(
        refused(r#"{"loss": {"direction": "upstream", "model": {"nth": {"every": 0}}}}"#),
        NetworkFaultError::Nth { every: 0 }
    );
    assert_eq!(
        refused(
            r#"{"loss": {"direction": "both", "per": "round_trip", "model": {"nth": {"every": 9}}}}"#
        ),
        NetworkFaultError::RoundTripModel
    );
    let bandwidth = |bits: u64, queue: u32| {
        refused(&format!(
            r#"{{"bandwidth": {{"direction": "both", "bits_per_second": {bits}, "queue_bytes": {queue}}}}}"#
        ))
    };
    assert!(matches!(bandwidth(7_999, 3_000), NetworkFaultError::Bandwidth { .. }));
    assert!(matches!(bandwidth(8_000, 1_499), NetworkFaultError::Queue { .. }));
}

#[test]
fn a_loss_of_round_trips_is_converted_and_told_as_both() {
    let json = format!(r#"{{"loss": {{"direction": "both", "per": "round_trip", {BERNOULLI}}}}}"#);
    let link = fault(&json).check().unwrap();
    let Some(Impairment::Loss(LossLaw::Bernoulli { share })) = link.upstream else { panic!() };
    assert!((share - 0.061_916).abs() < 1e-6, "{share}");
    assert_eq!(link.upstream, link.downstream);
    assert_eq!(link.notes, ["a loss of 6.19 % in each direction is one of 12.00 % of round trips"]);
    let json = format!(r#"{{"loss": {{"direction": "both", "per": "direction", {BERNOULLI}}}}}"#);
    assert_eq!(
        fault(&json).check().unwrap().notes,
        ["a loss of 12.00 % in each direction is one of 22.56 % of round trips"]
    );
}

#[test]
fn a_delay_of_round_trips_is_halved_for_each_direction() {
    let link = fault(
        r#"{"delay": {"direction": "both", "per": "round_trip", "base_ms": 40, "jitter_ms": 40,
            "distribution": "uniform", "reorder": "preserve"}}"#,
    )
    .check()
    .unwrap();
    let Some(Impairment::Delay { base, jitter, .. }) = link.downstream else { panic!() };
    assert_eq!(base, Duration::from_millis(20));
    assert_eq!(jitter.unwrap().spread, Duration::from_millis(20));
    assert!(link.notes.iter().any(|note| note.contains("triangular")), "{:?}", link.notes);
    assert!(link.notes.iter().any(|note| note.contains("hold_ms")), "{:?}", link.notes);
}

#[test]
fn failures_of_dns_are_response_codes_silence_or_delay() {
    let act = |failure: &str| {
        let json = format!(
            r#"{{"dns": {{"direction": "upstream", "percent": 50, "failure": {failure}}}}}"#
        );
        match fault(&json).check()?.upstream {
            Some(Impairment::Dns { share: 0.5, act }) => Ok(act),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(act(r#""nxdomain""#), Ok(DnsAct::Answer { code: 3 }));
    assert_eq!(act(r#""servfail""#), Ok(DnsAct::Answer { code: 2 }));
    assert_eq!(act(r#""refused""#), Ok(DnsAct::Answer { code: 5 }));
    assert_eq!(act(r#""timeout""#), Ok(DnsAct::Drop));
    let by = Duration::from_millis(1_500);
    assert_eq!(act(r#"{"slow": {"by_ms": 1500}}"#), Ok(DnsAct::HoldBack { by }));
    assert_eq!(act(r#"{"slow": {"by_ms": 0}}"#), Err(NetworkFaultError::NoDelay));
}

#[test]
fn a_reset_is_by_chance_or_at_an_offset() {
    let law = |keys: &str| {
        let json = format!(r#"{{"reset": {{"direction": "upstream"{keys}}}}}"#);
        match fault(&json).check()?.upstream {
            Some(Impairment::Reset { law }) => Ok(law),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(law(r#", "percent": 50"#), Ok(ResetLaw::Share(0.5)));
    assert_eq!(law(r#", "after_bytes": 0"#), Ok(ResetLaw::AfterBytes(0)));
    assert_eq!(law(r#", "after_bytes": 65536"#), Ok(ResetLaw::AfterBytes(65_536)));
    let bytes = (1 << 30) + 1;
    let most = law(&format!(r#", "after_bytes": {bytes}"#));
    assert_eq!(most, Err(NetworkFaultError::ResetBytes { bytes }));
    assert_eq!(law(""), Err(NetworkFaultError::ResetLaw));
    assert_eq!(law(r#", "percent": 50, "after_bytes": 1"#), Err(NetworkFaultError::ResetLaw));
}

#[test]
fn one_direction_strikes_one_direction() {
    let link = fault(r#"{"partition": {"direction": "downstream"}}"#).check().unwrap();
    assert_eq!((link.upstream, link.downstream), (None, Some(Impairment::Partition)));
}

#[test]
fn unknown_keys_are_refused() {
    for json in [
        r#"{"partition": {"direction": "both", "percent": 12}}"#,
        r#"{"corrupt": {"direction": "both", "percentage": 12}}"#,
        r#"{"lose": {}}"#,
    ] {
        assert!(serde_json::from_str::<NetworkFault>(json).is_err(), "{json}");
    }
}
