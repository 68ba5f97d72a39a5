//! netem at an interface, on a host that has it and on one that has not.

use bulkhead_chaos::{CarrierChoice, InterfaceEnd, InterfaceTarget};
use bulkhead_lab::{GuardianCommand, carry};

use super::refusals::refused;
use super::{Strike, loopback, namespace};
use crate::support::PATIENCE;

const DELAY: &str = r#"{"delay": {"direction": "both", "per": "direction", "base_ms": 5}}"#;
const LOSS: &str = r#"{"loss": {"direction": "both", "per": "direction",
    "model": {"bernoulli": {"percent": 12}}}}"#;

/// In a child: what puts a netem there and takes it away.
#[test]
#[ignore = "a role in other tests"]
fn role_carry() {
    carry().unwrap();
}

pub(super) fn carry_command() -> GuardianCommand {
    GuardianCommand {
        program: std::env::current_exe().unwrap().into(),
        arguments: ["--exact", "carrier::netem::role_carry", "--ignored", "--nocapture"]
            .map(Into::into)
            .to_vec(),
    }
}

#[test]
fn a_delay_is_carried_where_the_kernel_has_netem_and_refused_where_it_has_not() {
    let Some(namespace) = namespace() else { return };
    match Strike::prepare(loopback(&namespace, CarrierChoice::Auto, None), DELAY, PATIENCE) {
        Ok(strike) => {
            assert_eq!(strike.handle["carrier"], "netem", "{}", strike.handle);
            let passed_over = strike.handle["passed_over"].to_string();
            assert!(passed_over.contains("bpf") && passed_over.contains("nftables"));
            let strike =
                Strike::begin(loopback(&namespace, CarrierChoice::Netem, None), DELAY, PATIENCE)
                    .unwrap();
            let evidence = strike.verify();
            assert!(evidence.holds, "{}", evidence.seen);
            let second =
                Strike::prepare(loopback(&namespace, CarrierChoice::Netem, None), DELAY, PATIENCE);
            let second = second.err().expect("a refusal").to_string();
            assert!(second.contains("a queue that somebody has put there: netem"), "{second}");
            let ended = strike.end();
            assert!(ended.holds && ended.seen.contains("default: noqueue"), "{}", ended.seen);
        }
        Err(refusal) => {
            let told = refusal.to_string();
            for expected in [
                "the kernel does not let netem in: it has none (CONFIG_NET_SCH_NETEM",
                "order it on a link (`target: {link: …}`), whose packet box needs no netem",
                "bpf: packets that come in at an interface can be dropped, not delayed",
            ] {
                assert!(told.contains(expected), "{expected}\n{told}");
            }
        }
    }
}

#[test]
fn losses_are_carried_by_what_expires_by_itself() {
    let Some(namespace) = namespace() else { return };
    match Strike::prepare(loopback(&namespace, CarrierChoice::Auto, None), LOSS, PATIENCE) {
        Ok(strike) => {
            let carrier = strike.handle["carrier"].as_str().unwrap().to_owned();
            assert!(carrier == "bpf" || carrier == "nftables", "{carrier}");
        }
        Err(refusal) => eprintln!("skipped: this host lets no carrier in: {refusal}"),
    }
}

#[test]
fn what_netem_cannot_do_is_refused_before_the_kernel_is_asked() {
    let Some(namespace) = namespace() else { return };
    let lo = || loopback(&namespace, CarrierChoice::Netem, None);
    let nth =
        r#"{"loss": {"direction": "both", "per": "direction", "model": {"nth": {"every": 7}}}}"#;
    refused(lo(), nth, "netem cannot do this: it counts no packets");
    refused(loopback(&namespace, CarrierChoice::Netem, Some(9)), DELAY, "a `scope` cannot narrow");
    let upstream = r#"{"delay": {"direction": "upstream", "base_ms": 5}}"#;
    refused(lo(), upstream, "netem strikes all alike");
    let mut server = lo();
    server.name = "eth0".to_owned();
    server.end = Some(InterfaceEnd::Server);
    refused(server, upstream, "upstream packets come in at this end, and netem strikes only");
    let own = InterfaceTarget { carrier: CarrierChoice::Netem, ..InterfaceTarget::new("lo") };
    refused(own, DELAY, "in the lab's own network namespace, and netem strikes all that leaves");
}
