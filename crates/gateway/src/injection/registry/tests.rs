use bulkhead_chaos::http::{AbortWith, HttpEffect, HttpFault};
use bulkhead_chaos::{Direction, GatewayFault, NetworkFault, Partition};

use super::*;

fn rule(ttl: Duration) -> FaultRule {
    let abort = HttpEffect::Abort(AbortWith::Status(503));
    FaultRule::new(Fault::Http(HttpFault::new(abort, 100.0)), ttl)
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_name_is_used_once() {
    let (injections, now) = (Injections::default(), Instant::now());
    assert!(matches!(injections.put("a", rule(MINUTE), now), Ok(Placed::Created(_))));
    let again = injections.put("a", rule(MINUTE / 2), now).expect("the same");
    assert!(matches!(again, Placed::Unchanged(report) if report.ttl_left_ms == 60_000));
    let other = injections.put("a", FaultRule { seed: 8, ..rule(MINUTE) }, now);
    assert!(matches!(other, Err(FaultRefusal::Conflict(_))));
    assert_eq!(injections.table().0.rules.len(), 1);
    assert_eq!(injections.remove("a", now).expect("a fault").state, FaultState::Removed);
    assert!(injections.table().0.rules.is_empty());
    assert!(matches!(injections.put("a", rule(MINUTE), now), Err(FaultRefusal::Conflict(_))));
}

#[test]
fn what_is_taken_back_before_it_comes_never_comes() {
    let (injections, now) = (Injections::default(), Instant::now());
    let removed = injections.remove("late", now).expect("nothing to take back");
    assert_eq!((removed.state, removed.rule), (FaultState::Removed, None));
    assert!(matches!(injections.put("late", rule(MINUTE), now), Err(FaultRefusal::Conflict(_))));
}

#[test]
fn a_rule_ends_with_its_time_though_nobody_takes_it_back() {
    let (injections, now) = (Injections::default(), Instant::now());
    injections.put("a", rule(MINUTE), now).expect("a fault");
    let (table, version) = injections.table();
    let report = injections.report("a", now, version).expect("a report");
    assert_eq!((report.ttl_left_ms, report.in_force), (60_000, true));
    assert!(!injections.report("a", now, version - 1).expect("a report").in_force);
    assert!(!injections.sweep(now));
    assert!(injections.sweep(now + MINUTE));
    assert!(table.rules[0].has_ended(now));
    let report = injections.report("a", now + MINUTE, version).expect("a report");
    assert_eq!((report.state, report.ttl_left_ms), (FaultState::Expired, 0));
}

#[test]
fn there_are_only_so_many() {
    let (injections, now) = (Injections::default(), Instant::now());
    for number in 0..RULES_MAX {
        injections.put(&number.to_string(), rule(MINUTE), now).expect("a fault");
    }
    assert!(matches!(injections.put("more", rule(MINUTE), now), Err(FaultRefusal::Full(_))));
    assert_eq!(injections.remove_all(now), RULES_MAX);
    for number in 0..2 * ENDED_MAX {
        injections.remove(&format!("never-{number}"), now).expect("nothing");
    }
    assert_eq!(injections.reports(now, 0).len(), ENDED_MAX);
}

#[test]
fn what_a_gateway_cannot_do_is_refused() {
    let (injections, now) = (Injections::default(), Instant::now());
    let partition = NetworkFault::Partition(Partition { direction: Some(Direction::Both) });
    let network = FaultRule::new(Fault::Network(partition), MINUTE);
    for (id, rule) in [("a", network), ("a", rule(Duration::ZERO)), ("a b", rule(MINUTE))] {
        assert!(matches!(injections.put(id, rule, now), Err(FaultRefusal::Invalid(_))), "{id}");
    }
    assert!(injections.remove("a/b", now).is_err());
}

#[test]
fn panics_of_another_rule_are_not_taken_back() {
    let (injections, now) = (Injections::default(), Instant::now());
    let panics = |count| {
        let fault = Fault::Gateway(GatewayFault::PanicExchanges { count });
        FaultRule::new(fault, MINUTE)
    };
    injections.put("a", panics(3), now).expect("a fault");
    injections.put("b", panics(2), now).expect("a fault");
    let left = || injections.levers.faults.left(crate::faults::Fault::RoutePanic);
    assert_eq!(left(), 5);
    injections.remove("a", now).expect("a fault");
    assert_eq!(left(), 2);
    injections.remove("b", now).expect("a fault");
    assert_eq!(left(), 0);
}
