//! Carriers that a process apart from the lab holds.

mod door;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{CarrierChoice, ChaosId, Fault, InterfaceTarget, Order, Random, Target};
use bulkhead_lab::{
    Allowed, GuardianCommand, Handle, HeldCarriers, Injector as _, Refusal, hold_carriers,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{CARRIERS, Pair, await_passing, loopback, namespace, netem};
use crate::support::{PATIENCE, around, fault, without_root};

const CUT: &str = r#"{"partition": {"direction": "upstream"}}"#;
const ALLOW: &str = "BULKHEAD_TEST_ALLOW";

/// In a child: holds carriers for the lab on standard input.
#[test]
#[ignore = "a role in other tests"]
fn role_hold_carriers() {
    let Ok(allow) = std::env::var(ALLOW) else { return };
    let allowed = match allow.as_str() {
        "everything" => Allowed::Everything,
        list => Allowed::Only(list.split_whitespace().map(|it| it.parse().unwrap()).collect()),
    };
    hold_carriers(allowed, netem::carry_command()).unwrap();
}

/// Starts it; what is allowed is `everything`, or interfaces with spaces between them.
fn hold_command(allow: &str) -> GuardianCommand {
    let program = std::env::current_exe().unwrap().into_os_string();
    let mut arguments = vec![format!("{ALLOW}={allow}").into(), program];
    let role = "carrier::apart::role_hold_carriers";
    arguments.extend(["--exact", role, "--ignored"].map(Into::into));
    GuardianCommand { program: "env".into(), arguments }
}

fn order(target: InterfaceTarget) -> Order {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = unix.as_nanos() as u64;
    Order {
        id: ChaosId::new(unix, &mut Random::new(seed)),
        fault: Fault::Network(fault(CUT)),
        target: Target::Interface(target),
        seed,
        expires_unix_ms: (unix + PATIENCE).as_millis() as u64,
    }
}

/// `None`, said on standard error: this host does not let the carrier in.
fn let_in(prepared: Result<Handle, Refusal>) -> Option<Handle> {
    match prepared {
        Ok(handle) => Some(handle),
        Err(refusal) if refusal.reason.contains("the kernel does not let") => {
            eprintln!("skipped: {refusal}");
            None
        }
        Err(refusal) => panic!("{refusal}"),
    }
}

/// The process that a handle says to hold it.
fn holder(handle: &Handle) -> i32 {
    handle["held_by"]["process"].as_u64().unwrap().try_into().unwrap()
}

fn kill(process: i32) {
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
}

fn lives(process: i32) -> bool {
    // One that has ended and is not waited for yet has no memory any more.
    std::fs::read_to_string(format!("/proc/{process}/statm")).is_ok_and(|it| !it.starts_with("0 "))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
    }
}

#[test]
fn what_is_in_the_kernel_is_another_process_s_and_ends_with_it() {
    CARRIERS.into_iter().for_each(held_by_a_child);
}

#[test]
fn carriers_are_held_apart_inside_a_user_namespace_too() {
    let name = "carrier::apart::carriers_are_held_apart_inside_a_user_namespace_too";
    without_root(name, || held_by_a_child(CarrierChoice::Nftables));
}

fn held_by_a_child(carrier: CarrierChoice) {
    let Some(namespace) = namespace() else { return };
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    let order = order(loopback(&namespace, carrier, Some(pair.port())));
    let lab = HeldCarriers::of_child(hold_command("everything"));
    let Some(handle) = let_in(lab.prepare(&order, around())) else { return };
    let first = holder(&handle);
    assert_ne!(first, std::process::id() as i32);
    assert_eq!(handle["process"], handle["held_by"]["process"], "{handle}");
    lab.inject(&order, &handle, around()).unwrap();
    assert_eq!(pair.up(20), [0; 0], "{carrier:?}");
    let evidence = lab.verify(&order, &handle, around()).unwrap();
    let told = format!("held by process {first}");
    assert!(evidence.holds && evidence.seen.ends_with(&told), "{}", evidence.seen);
    assert_eq!(lab.lost(&order, &handle), None);

    kill(first);
    await_passing(&pair, true);
    assert_eq!(pair.up(500).len(), 500, "{carrier:?}");
    wait_until("the lab notices", || lab.lost(&order, &handle).is_some());
    assert!(!lab.verify(&order, &handle, around()).unwrap().holds);
    lab.inject(&order, &handle, around()).unwrap_err();

    // Another one looks whether anything is left, and holds what comes next.
    lab.revert(&order, &handle, around()).unwrap();
    let gone = lab.verify_reverted(&order, &handle, around()).unwrap();
    let ended = format!("process {first}, which held it, has ended");
    assert!(gone.holds && gone.seen.ends_with(&ended), "{}", gone.seen);
    let again = self::order(loopback(&namespace, carrier, Some(pair.port())));
    let handle = lab.prepare(&again, around()).unwrap();
    assert_ne!(holder(&handle), first);
    lab.inject(&again, &handle, around()).unwrap();
    assert_eq!(pair.up(20), [0; 0], "{carrier:?}");
    assert!(lab.verify(&again, &handle, around()).unwrap().holds);
    lab.revert(&again, &handle, around()).unwrap();
    let gone = lab.verify_reverted(&again, &handle, around()).unwrap();
    assert!(gone.holds && gone.seen.contains("while it was in force"), "{}", gone.seen);
    assert_eq!(pair.up(500).len(), 500, "{carrier:?}");

    drop(lab);
    wait_until("it ends with the lab", || !lives(holder(&handle)));
}
