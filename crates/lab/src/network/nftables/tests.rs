use std::process::Command;
use std::time::Duration;

use bulkhead_chaos::{LossLaw, PacketMatch, Strike, Transport};

use super::Nftables;
use super::expression::{rule, threshold};
use crate::Namespace;
use crate::network::carrier::{Count, Mechanism as _, StrikePlan};
use crate::network::netlink::attributes;

fn plan() -> StrikePlan {
    let upstream = PacketMatch {
        protocol: Some(Transport::Udp),
        source: Some("10.1.2.3".parse().unwrap()),
        destination_port: Some(80),
        ..PacketMatch::default()
    };
    let downstream = PacketMatch {
        protocol: Some(Transport::Tcp),
        source_port: Some(8_080),
        destination: Some("fd00::1".parse().unwrap()),
        ..PacketMatch::default()
    };
    let all = PacketMatch::default();
    StrikePlan {
        id: 1,
        name: "bulkhead_chaos_test".to_owned(),
        interface: "lo".to_owned(),
        index: 1,
        strikes: vec![
            Strike { packets: upstream, law: LossLaw::Bernoulli { share: 0.12 } },
            Strike { packets: downstream, law: LossLaw::Nth { every: 7 } },
            Strike { packets: all, law: LossLaw::Bernoulli { share: 1.0 } },
        ],
        time_to_live: Duration::from_secs(60),
        seed: 1,
    }
}

/// Parts of what `nft list table` prints of the plan.
const LISTED: [&str; 5] = [
    r#"elements = { "lo" timeout 1m expires"#,
    r#"type filter hook ingress device "lo" priority filter; policy accept;"#,
    "iif @armed ip saddr 10.1.2.3 udp dport 80 counter packets 0 bytes 0 \
     numgen random mod 1000000000 < 120000000 counter packets 0 bytes 0 drop",
    "iif @armed ip6 daddr fd00::1 tcp sport 8080 counter packets 0 bytes 0 \
     numgen inc mod 7 6 counter packets 0 bytes 0 drop",
    "iif @armed counter packets 0 bytes 0 counter packets 0 bytes 0 drop",
];

#[test]
fn the_kernel_has_what_was_asked_and_nft_reads_it_so() {
    let Ok(namespace) = Namespace::new() else {
        return eprintln!("skipped: this host lets us make no namespaces");
    };
    namespace
        .enter(|| {
            let plan = plan();
            match Nftables.rehearse(&plan) {
                Ok(()) => {}
                Err(error) => return eprintln!("skipped: no nftables here: {error}"),
            }
            assert_eq!(Nftables.look(&plan).unwrap(), None, "a rehearsal changes nothing");
            let holding = Nftables.strike(&plan).unwrap();
            let sight = Nftables.look(&plan).unwrap().unwrap();
            assert_eq!(sight.counts, [Count::default(); 3]);
            let left = sight.left.unwrap();
            assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(30), "{left:?}");
            let again = Nftables.strike(&plan).map(|_| ()).unwrap_err();
            assert_eq!(again.kind(), std::io::ErrorKind::PermissionDenied, "it has an owner");
            assert_listed(&plan);
            Nftables.release(&plan, holding).unwrap();
            assert_eq!(Nftables.look(&plan).unwrap(), None);

            let holding = Nftables.strike(&plan).unwrap();
            drop(holding);
            assert_eq!(Nftables.look(&plan).unwrap(), None, "it dies with its holder");
        })
        .unwrap();
}

fn assert_listed(plan: &StrikePlan) {
    let output = Command::new("nft").args(["list", "table", "netdev", &plan.name]).output();
    let Ok(output) = output else { return eprintln!("not compared: there is no `nft` here") };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in LISTED {
        assert!(told.contains(part), "{part}\n{text}");
    }
    assert!(told.contains("flags owner"), "{text}");
}

#[test]
fn rules_are_lists_of_named_expressions() {
    let names = |strike: &Strike| {
        let rule = rule("armed", strike).unwrap();
        let named = attributes(&rule).map(|(_, expression)| {
            let (_, name) = attributes(expression).next().unwrap();
            String::from_utf8(name[..name.len() - 1].to_vec()).unwrap()
        });
        named.collect::<Vec<_>>().join(" ")
    };
    let [udp, tcp, all] = plan().strikes.try_into().unwrap();
    let head = "meta lookup meta cmp payload cmp meta cmp payload cmp counter";
    assert_eq!(names(&udp), format!("{head} numgen byteorder cmp counter immediate"));
    assert_eq!(names(&tcp), format!("{head} numgen cmp counter immediate"));
    assert_eq!(names(&all), "meta lookup counter counter immediate");
    let bursts =
        LossLaw::GilbertElliott { to_bad: 0.1, to_good: 0.5, loss_in_bad: 1.0, loss_in_good: 0.0 };
    assert!(rule("armed", &Strike { law: bursts, ..all }).is_none());
}

#[test]
fn shares_are_numbers_of_a_milliard() {
    assert_eq!(threshold(0.12), 120_000_000);
    assert_eq!(threshold(1e-12), 1);
}
