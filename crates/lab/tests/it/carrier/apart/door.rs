//! Labs without rights over networks, who ask at a socket for carriers.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use bulkhead_chaos::{
    Caller, CarrierChoice, EngineOptions, InjectRequest, InterfaceTarget, Policy, Role, State,
    Target,
};
use bulkhead_lab::{CarrierDoor, HeldCarriers, Injector as _, Lab, LabOptions, Registry, Until};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::super::injector;
use super::{
    CARRIERS, CUT, Pair, await_passing, hold_command, kill, lives, loopback, namespace, order,
    wait_until,
};
use crate::support::{PATIENCE, around, fault, without_root};

const SOCKET: &str = "BULKHEAD_TEST_SOCKET";
const TARGET: &str = "BULKHEAD_TEST_TARGET";
const NOBODY: u32 = 65_534;

/// A door in a directory of its own.
struct Open {
    directory: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Open {
    fn new(allow: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bulkhead-door-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let door = CarrierDoor::open(&directory.join("socket"), None).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (command, over) = (hold_command(allow), Arc::clone(&is_over));
        let serve = move || door.serve(&command, || over.load(Ordering::Acquire)).unwrap();
        Self { directory, is_over, thread: Some(thread::spawn(serve)) }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() && !self.socket().exists());
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// In a child: a lab without any capability that strikes the target, and tells what becomes of that.
#[test]
#[ignore = "a role in other tests"]
fn role_lab() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let socket = Path::new(&socket);
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none).unwrap();
    let target: InterfaceTarget = serde_json::from_str(&std::env::var(TARGET).unwrap()).unwrap();
    let by_itself = injector().prepare(&order(target.clone()), around());
    assert!(by_itself.is_err(), "a lab without rights strikes nothing by itself: {by_itself:?}");

    // Two processes begin before the fault is in force, on however busy a machine.
    let engine = EngineOptions { overall_ms: 20_000, ..EngineOptions::default() };
    let policy = Policy::default();
    let directory = socket.parent().unwrap().join("lab");
    let options = LabOptions { directory, engine, policy, seed: 1 };
    let carriers = HeldCarriers::at(socket.to_owned());
    let lab = Lab::open(options, Registry::new().with(carriers)).unwrap();
    let caller = Caller { name: "ann".to_owned(), role: Role::Operator };
    let fault = bulkhead_chaos::Fault::Network(fault(CUT));
    let request = InjectRequest::new(fault, Target::Interface(target));
    let ids = lab.order(&caller, &request).unwrap().ids;
    for until in [Until::Settled, Until::Ended] {
        let it = lab.wait(&ids, until, PATIENCE).remove(0);
        println!("\nlab: {} {}", it.state, serde_json::to_string(&it).unwrap());
    }
    std::io::stdin().lines().for_each(drop);
}

/// A lab in a process of its own, killed at the end.
struct LabProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl LabProcess {
    fn start(socket: &Path, target: &InterfaceTarget) -> Self {
        let role = "carrier::apart::door::role_lab";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", role, "--ignored", "--nocapture"])
            .env(SOCKET, socket)
            .env(TARGET, serde_json::to_string(target).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it tells next.
    fn next(&mut self) -> String {
        let lines = self.lines.by_ref().map_while(Result::ok);
        let told = lines.filter_map(|it| it.strip_prefix("lab: ").map(str::to_owned)).next();
        told.expect("the lab tells what becomes of its order")
    }
}

impl Drop for LabProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of `held by process 4711`.
fn holder(told: &str) -> i32 {
    let number = told.rsplit("held by process ").next().unwrap();
    number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn a_lab_without_rights_strikes_by_a_process_that_has_them() {
    CARRIERS.into_iter().for_each(killed_holder);
}

#[test]
fn a_lab_without_rights_inside_a_user_namespace_does_too() {
    let name = "carrier::apart::door::a_lab_without_rights_inside_a_user_namespace_does_too";
    without_root(name, || killed_holder(CarrierChoice::Nftables));
}

/// The process that holds it is killed: nothing is left, and the lab says so.
fn killed_holder(carrier: CarrierChoice) {
    let Some(namespace) = namespace() else { return };
    let door = Open::new("everything");
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    let target = loopback(&namespace, carrier, Some(pair.port()));
    let mut lab = LabProcess::start(&door.socket(), &target);
    let told = lab.next();
    if told.contains("the kernel does not let") {
        return eprintln!("skipped: {carrier:?}: {told}");
    }
    assert!(told.starts_with(State::Active.name()), "{told}");
    assert_eq!(pair.up(20), [0; 0], "{carrier:?}");
    let first = holder(&told);
    kill(first);
    await_passing(&pair, true);
    assert_eq!(pair.up(500).len(), 500, "{carrier:?}");
    let told = lab.next();
    assert!(told.starts_with(State::Reverted.name()), "{told}");
    let why = format!("injection lost: process {first}, which held it, has ended");
    assert!(told.contains(&why), "{told}");
}

#[test]
fn what_a_lab_has_in_force_ends_when_the_lab_is_killed() {
    for carrier in CARRIERS {
        let Some(namespace) = namespace() else { return };
        let door = Open::new("everything");
        let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
        let target = loopback(&namespace, carrier, Some(pair.port()));
        let mut lab = LabProcess::start(&door.socket(), &target);
        let told = lab.next();
        if told.contains("the kernel does not let") {
            eprintln!("skipped: {carrier:?}: {told}");
            continue;
        }
        assert_eq!(pair.up(20), [0; 0], "{carrier:?}");
        let holder = holder(&told);
        drop(lab);
        await_passing(&pair, true);
        assert_eq!(pair.up(500).len(), 500, "{carrier:?}");
        wait_until("it ends with its lab", || !lives(holder));
    }
}

#[test]
fn what_is_not_allowed_is_refused() {
    let Some(namespace) = namespace() else { return };
    let target = |port| loopback(&namespace, CarrierChoice::Auto, Some(port));
    let path = namespace.path();
    let door = Open::new(&format!("lo:udp:9@{} lo:tcp", path.display()));
    let lab = HeldCarriers::at(door.socket());
    let refusal = lab.prepare(&order(target(10)), around()).unwrap_err().to_string();
    let told =
        format!("may not strike these packets of `lo` in {}; it may: lo:udp:9@", path.display());
    assert!(refusal.contains(&told), "{refusal}");
    // Also if nobody has asked whether it may.
    let forged = lab.prepare(&order(target(9)), around());
    let Some(handle) = super::let_in(forged) else { return };
    let error = lab.inject(&order(target(10)), &handle, around()).unwrap_err().to_string();
    assert!(error.contains("may not strike"), "{error}");
    let unprepared = lab.inject(&order(target(9)), &handle, around()).unwrap_err().to_string();
    assert!(unprepared.contains("another process has prepared it"), "{unprepared}");
    let mut long = order(target(9));
    long.expires_unix_ms += 3_600_000;
    let refusal = lab.prepare(&long, around()).unwrap_err().to_string();
    assert!(refusal.contains("at most 900 s is held"), "{refusal}");
}

/// In a child: asks for carriers, and tells what is said to that.
#[test]
#[ignore = "a role in other tests"]
fn role_stranger() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let prepared =
        HeldCarriers::at(socket.into()).prepare(&order(InterfaceTarget::new("lo")), around());
    println!("\nlab: {}", prepared.unwrap_err());
}

#[test]
fn only_some_users_are_listened_to() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root may be somebody else");
    }
    let door = Open::new("everything");
    let ask = || {
        let role = "carrier::apart::door::role_stranger";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", role, "--ignored", "--nocapture"])
            .env(SOCKET, door.socket())
            .uid(NOBODY)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = ask();
    assert!(told.contains("Permission denied"), "{told}");
    // Also where the file would let them in.
    fs::set_permissions(door.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let told = ask();
    assert!(told.contains("user 65534 may not ask for carriers"), "{told}");
    assert!(told.contains("with `--user 65534`"), "{told}");
}

#[test]
fn a_door_is_opened_once_and_again_after_its_end() {
    let door = Open::new("everything");
    let error = CarrierDoor::open(&door.socket(), None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let left = door.directory.join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    drop(CarrierDoor::open(&left, None).unwrap());
    assert!(!left.exists());
}
