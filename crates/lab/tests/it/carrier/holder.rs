//! What is in the kernel when the process that holds a fault is killed, or hangs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bulkhead_chaos::{CarrierChoice, InterfaceTarget};
use bulkhead_lab::Namespace;
use bulkhead_transport::bpf_ingress_filters;
use rustix::process::{Pid, Signal, kill_process};

use super::{CARRIERS, Pair, Strike, await_passing, loopback, namespace};
use crate::support::{PATIENCE, without_root};

const CUT: &str = r#"{"partition": {"direction": "upstream"}}"#;
/// Number of the loopback interface in every namespace.
const LOOPBACK_INDEX: u32 = 1;
const TARGET: &str = "BULKHEAD_TEST_TARGET";
const TIME: &str = "BULKHEAD_TEST_TIME_MS";

/// In the child: injects what the environment says, and sleeps.
#[test]
#[ignore = "a role in other tests"]
fn role_holder() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let time: u64 = std::env::var(TIME).unwrap().parse().unwrap();
    let target: InterfaceTarget = serde_json::from_str(&target).unwrap();
    let strike = Strike::begin(target, CUT, Duration::from_millis(time));
    println!("\n{}", if strike.is_some() { "struck" } else { "skipped" });
    std::io::stdin().lines().for_each(drop);
}

/// A process that holds a fault, killed at the end.
struct Holder(Child);

impl Holder {
    /// `None`: this host does not let the carrier in.
    fn start(target: &InterfaceTarget, time: Duration) -> Option<Self> {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "carrier::holder::role_holder", "--ignored", "--nocapture"])
            .env(TARGET, serde_json::to_string(target).unwrap())
            .env(TIME, time.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut holder = Self(child);
        let lines = BufReader::new(holder.0.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).find(|it| it == "struck" || it == "skipped");
        (told.expect("an answer of the holder") == "struck").then_some(holder)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace, a pair of sockets in it, and for one carrier a fault that another process holds.
fn held(carrier: CarrierChoice, time: Duration) -> Option<(Namespace, Pair, Holder)> {
    let namespace = namespace()?;
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    assert_eq!(pair.up(10).len(), 10);
    let holder = Holder::start(&loopback(&namespace, carrier, Some(pair.port())), time)?;
    Some((namespace, pair, holder))
}

/// What other programs find in the namespace, where they are installed.
fn found(namespace: &Namespace, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    namespace.start_in(&mut command).unwrap();
    let output = command.output().ok()?;
    assert!(output.status.success(), "{program}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Tables or programs of ours, asked without the lab. `None`: nothing that lists them is installed.
fn left_behind(carrier: CarrierChoice, namespace: &Namespace) -> Option<Vec<String>> {
    if carrier == CarrierChoice::Nftables {
        let list = found(namespace, "nft", &["list", "tables"])?;
        return Some(
            list.lines().filter(|it| it.contains("bulkhead")).map(str::to_owned).collect(),
        );
    }
    // Not every `bpftool` knows TCX; nobody else has programs in this namespace.
    let filters = namespace.enter(|| bpf_ingress_filters(LOOPBACK_INDEX)).unwrap().unwrap();
    Some(filters.iter().map(|filter| format!("program {filter}")).collect())
}

#[test]
fn a_holder_that_is_killed_leaves_nothing() {
    for carrier in CARRIERS {
        let Some((namespace, pair, holder)) = held(carrier, PATIENCE) else { continue };
        assert_eq!(pair.up(10), [0; 0], "{carrier:?}");
        if let Some(held) = left_behind(carrier, &namespace) {
            assert_eq!(held.len(), 1, "{carrier:?}: the probe finds what there is: {held:?}");
        }
        holder.signal(Signal::KILL);
        await_passing(&pair, true);
        assert_eq!(pair.up(500).len(), 500, "{carrier:?}");
        let left = left_behind(carrier, &namespace).unwrap_or_default();
        assert_eq!(left, [""; 0], "{carrier:?}");
    }
}

#[test]
fn a_holder_that_is_stopped_does_not_prolong_its_fault() {
    for carrier in CARRIERS {
        let time = Duration::from_millis(1_500);
        let Some((_namespace, pair, holder)) = held(carrier, time) else { continue };
        holder.signal(Signal::STOP);
        await_passing(&pair, true);
        assert_eq!(pair.up(500).len(), 500, "{carrier:?}");
        let state = std::fs::read_to_string(format!("/proc/{}/stat", holder.0.id())).unwrap();
        assert!(state.contains(") T "), "the holder did not run meanwhile: {state}");
    }
}

#[test]
fn another_process_says_who_holds_it() {
    let Some(namespace) = namespace() else { return };
    for carrier in CARRIERS {
        let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
        let target = loopback(&namespace, carrier, Some(pair.port()));
        let Some(holder) = Holder::start(&target, PATIENCE) else { continue };
        let Ok(mut strike) = Strike::prepare(target, CUT, PATIENCE) else { continue };
        strike.handle["process"] = holder.0.id().into();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", holder.0.id())).unwrap();
        let start: u64 =
            stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
        strike.handle["process_start_time"] = start.into();
        let revert = || {
            use bulkhead_lab::Injector as _;
            strike.injector.revert(&strike.order, &strike.handle, crate::support::around())
        };
        let error = revert().unwrap_err().to_string();
        assert!(error.contains(&format!("process {} still holds it", holder.0.id())), "{error}");
        drop(holder);
        revert().unwrap();
    }
}

#[test]
fn nftables_needs_no_root_inside_a_user_namespace() {
    let name = "carrier::holder::nftables_needs_no_root_inside_a_user_namespace";
    without_root(name, rootless);
}

fn rootless() {
    let Some(namespace) = namespace() else { return };
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    let target = loopback(&namespace, CarrierChoice::Auto, Some(pair.port()));
    let Some(strike) = Strike::begin(target, CUT, PATIENCE) else { return };
    assert_eq!(strike.handle["carrier"], "nftables", "{}", strike.handle);
    let passed_over = strike.handle["passed_over"][0].as_str().unwrap();
    assert!(passed_over.starts_with("bpf: the kernel does not let bpf in"), "{passed_over}");
    assert_eq!(pair.up(10), [0; 0]);
    assert!(strike.verify().holds);
    assert!(strike.end().holds);
    assert_eq!(pair.up(10).len(), 10);
}
