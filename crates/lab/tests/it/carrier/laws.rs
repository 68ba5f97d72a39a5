//! What is lost is what was asked for, where it was asked for, and nothing else.

use bulkhead_chaos::CarrierChoice;
use bulkhead_lab::Injector as _;

use super::{CARRIERS, Pair, Strike, is_share, loopback, namespace};
use crate::support::{PATIENCE, around};

const LOSS: &str =
    r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#;
const LOSS_OF_ROUND_TRIPS: &str = r#"{"loss": {"direction": "both", "per": "round_trip",
    "model": {"bernoulli": {"percent": 36}}}}"#;
const SEVENTH: &str = r#"{"loss": {"direction": "upstream", "model": {"nth": {"every": 7}}}}"#;
const CUT_DOWN: &str = r#"{"partition": {"direction": "downstream"}}"#;
const CUT: &str = r#"{"partition": {"direction": "both"}}"#;
const BURSTS: &str = r#"{"loss": {"direction": "upstream",
    "model": {"gilbert_elliott": {"to_bad_percent": 5, "to_good_percent": 50}}}}"#;
const PACKETS: u32 = 5_000;

/// How many probes were lost, of how many, as the evidence tells it.
fn probes(seen: &str) -> (u32, u32) {
    let words: Vec<&str> = seen.split(" probes lost").next().unwrap().rsplit(' ').collect();
    (words[2].parse().unwrap(), words[0].parse().unwrap())
}

/// Runs a test for each carrier that the host lets in.
fn each(test: impl Fn(CarrierChoice, &bulkhead_lab::Namespace)) {
    for carrier in CARRIERS {
        let Some(namespace) = namespace() else { return };
        test(carrier, &namespace);
    }
}

#[test]
fn a_share_of_one_direction_is_lost_and_nothing_else() {
    each(|carrier, namespace| {
        let pair = Pair::new(namespace, "127.0.0.1", "127.0.0.1");
        let other = Pair::new(namespace, "::1", "::1");
        let target = loopback(namespace, carrier, Some(pair.port()));
        let Some(strike) = Strike::begin(target, LOSS, PATIENCE) else { return };
        let arrived = pair.up(PACKETS);
        assert!(is_share(PACKETS as usize - arrived.len(), PACKETS, 0.12), "{}", arrived.len());
        assert_eq!(pair.down(500).len(), 500, "the other direction");
        assert_eq!(other.up(500).len(), 500, "another port");

        let evidence = strike.verify();
        assert!(evidence.holds, "{}", evidence.seen);
        let (lost_probes, probes) = probes(&evidence.seen);
        assert!(lost_probes > 0 && lost_probes < probes, "{}", evidence.seen);
        let lost = PACKETS - arrived.len() as u32 + lost_probes;
        let ended = strike.end();
        assert!(ended.holds, "{}", ended.seen);
        let told = format!("it lost {lost} of {} packets", PACKETS + probes);
        assert!(ended.seen.contains(&told), "{told}: {}", ended.seen);
        assert_eq!(pair.up(500).len(), 500, "nothing else waits there, such as a probe");
    });
}

#[test]
fn a_share_of_round_trips_is_one_of_each_direction() {
    each(|carrier, namespace| {
        let pair = Pair::new(namespace, "::1", "::1");
        let target = loopback(namespace, carrier, Some(pair.port()));
        let Some(strike) = Strike::begin(target, LOSS_OF_ROUND_TRIPS, PATIENCE) else { return };
        for arrived in [pair.up(PACKETS), pair.down(PACKETS)] {
            let lost = PACKETS as usize - arrived.len();
            assert!(is_share(lost, PACKETS, 0.2), "{lost} lost");
        }
        assert!(strike.end().holds);
    });
}

#[test]
fn each_nth_is_exactly_each_nth() {
    each(|carrier, namespace| {
        let pair = Pair::new(namespace, "127.0.0.1", "127.0.0.1");
        let target = loopback(namespace, carrier, Some(pair.port()));
        let Some(strike) = Strike::begin(target, SEVENTH, PATIENCE) else { return };
        let expected: Vec<u32> = (0..700).filter(|number| number % 7 != 6).collect();
        assert_eq!(pair.up(700), expected, "{carrier:?}");
        assert!(strike.verify().holds);
        assert!(strike.end().holds);
    });
}

#[test]
fn bursts_are_carried_by_what_can_and_auto_finds_it() {
    let Some(namespace) = namespace() else { return };
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    let target = loopback(&namespace, CarrierChoice::Auto, Some(pair.port()));
    let strike = match Strike::prepare(target, BURSTS, PATIENCE) {
        Ok(strike) => strike,
        Err(refusal) => return eprintln!("skipped: {refusal}"),
    };
    assert_eq!(strike.handle["carrier"], "bpf");
    let why = strike.handle["chosen_because"].as_str().unwrap();
    assert!(why.contains("the same fate under the same seed"), "{why}");
    strike.injector.inject(&strike.order, &strike.handle, around()).unwrap();
    let arrived = pair.up(PACKETS);
    // One loss in eleven, and after a loss half of the packets are lost: bursts of two.
    let lost = PACKETS as usize - arrived.len();
    let pairs = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 2).count();
    let bursts = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count();
    assert!(is_share(pairs, bursts as u32, 0.5), "{pairs} of {bursts} bursts are longer than one");
    let evidence = strike.verify();
    assert!(evidence.holds, "{lost}: {}", evidence.seen);
    assert!(strike.end().holds);
}

#[test]
fn a_partition_cuts_one_way_and_addresses_bound_it() {
    each(|carrier, namespace| {
        let pair = Pair::new(namespace, "127.0.0.1", "127.0.0.2");
        let other = Pair::new(namespace, "127.0.0.1", "127.0.0.3");
        let mut target = loopback(namespace, carrier, None);
        target.scope.server = Some("127.0.0.2".parse().unwrap());
        target.scope.client = Some("127.0.0.1".parse().unwrap());
        let Some(strike) = Strike::begin(target, CUT_DOWN, PATIENCE) else { return };
        let evidence = strike.verify();
        assert!(evidence.holds, "{}", evidence.seen);
        assert!(evidence.seen.contains("32 of 32 probes lost"), "{}", evidence.seen);
        assert_eq!(pair.down(100), [0; 0]);
        assert_eq!(pair.up(100).len(), 100);
        assert_eq!((other.up(100).len(), other.down(100).len()), (100, 100));
        assert!(strike.end().holds);
        assert_eq!(pair.down(100).len(), 100);
    });
}

#[test]
fn two_faults_of_one_interface_stack_and_end_alone() {
    each(|carrier, namespace| {
        let pair = Pair::new(namespace, "127.0.0.1", "127.0.0.1");
        let target = || loopback(namespace, carrier, Some(pair.port()));
        let Some(loss) = Strike::begin(target(), LOSS, PATIENCE) else { return };
        let all = loopback(namespace, carrier, None);
        let Some(cut) = Strike::begin(all, CUT, PATIENCE) else { return };
        let evidence = cut.verify();
        assert!(evidence.holds, "{}", evidence.seen);
        assert_eq!(pair.up(100), [0; 0]);
        assert!(cut.end().holds);
        let lost = PACKETS as usize - pair.up(PACKETS).len();
        assert!(is_share(lost, PACKETS, 0.12), "{lost}");
        assert!(loss.end().holds);
        assert_eq!(pair.up(100).len(), 100);
    });
}

#[test]
fn what_another_fault_loses_first_does_not_hide_one() {
    each(|carrier, namespace| {
        let all = || loopback(namespace, carrier, None);
        let Some(loss) = Strike::begin(all(), LOSS_OF_ROUND_TRIPS, PATIENCE) else { return };
        let Some(cut) = Strike::begin(all(), CUT, PATIENCE) else { return };
        let Some(other) = Strike::begin(all(), LOSS_OF_ROUND_TRIPS, PATIENCE) else { return };
        // How many verify without having met a packet.
        let blind = |strikes: &[&Strike]| {
            let evidence = strikes.iter().map(|strike| strike.verify());
            let blind = evidence.filter(|evidence| {
                assert!(evidence.holds, "{carrier:?}: {}", evidence.seen);
                evidence.seen.contains("no packet has come by yet")
            });
            blind.count()
        };
        assert_eq!(blind(&[&loss, &cut, &other]), 1, "{carrier:?}: one is behind the partition");
        assert!(cut.end().holds);
        assert_eq!(blind(&[&loss, &other]), 0, "{carrier:?}");
        assert!(loss.end().holds && other.end().holds);
    });
}

#[test]
fn a_fault_that_nobody_injected_does_not_verify() {
    each(|carrier, namespace| {
        let target = loopback(namespace, carrier, None);
        let Ok(strike) = Strike::prepare(target, CUT, PATIENCE) else { return };
        let evidence = strike.verify();
        assert!(!evidence.holds, "{}", evidence.seen);
        assert!(strike.end().holds, "nothing to take back is a success");
    });
}
