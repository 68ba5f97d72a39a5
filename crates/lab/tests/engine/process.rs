//! Real processes, stopped and killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bulkhead_chaos::{
    ChaosId, Fault, InjectRequest, NamedTarget, ProcessFault, Random, State, Target,
};
use bulkhead_lab::{
    GuardianCommand, KillProcess, Lab, LabOptions, Registry, StopProcess, Until, guard,
    process_target,
};

use serde_json::json;

use crate::stage::{Directory, PATIENCE, ann};

/// In a child: the guardian.
#[test]
#[ignore = "a role in other tests"]
fn role_guardian() {
    guard().unwrap();
}

/// In a child: a lab that stops the process that the environment names, and waits to be killed.
#[test]
#[ignore = "a role in other tests"]
fn role_lab() {
    let Ok(pid) = std::env::var("BULKHEAD_TEST_PID") else { return };
    let lab = lab(std::env::var("BULKHEAD_TEST_DIRECTORY").unwrap().into());
    let ttl = std::env::var("BULKHEAD_TEST_TTL").unwrap();
    let mut order = stop(process_target(pid.parse().unwrap()).unwrap());
    order.ttl = ttl.parse().unwrap();
    let ordered = lab.order(&ann(), &order).unwrap();
    let settled = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
    println!("\nstate: {}", settled.state);
    loop {
        thread::park();
    }
}

pub(crate) fn guardian_command() -> GuardianCommand {
    GuardianCommand {
        program: std::env::current_exe().unwrap().into(),
        arguments: ["--exact", "process::role_guardian", "--ignored", "--nocapture"]
            .map(Into::into)
            .to_vec(),
    }
}

fn lab(directory: std::path::PathBuf) -> Lab {
    let registry = Registry::new().with(StopProcess::new(guardian_command())).with(KillProcess);
    let engine = bulkhead_chaos::EngineOptions { overall_ms: 20_000, ..Default::default() };
    Lab::open(LabOptions { directory, engine, policy: Default::default(), seed: 1 }, registry)
        .unwrap()
}

fn stop(target: Target) -> InjectRequest {
    InjectRequest::new(Fault::Process(ProcessFault::Stop), target)
}

struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn target(&self) -> Target {
        process_target(self.0.id()).unwrap()
    }

    /// Read by ourselves, not by the lab.
    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    fn wait_for(&self, is_so: impl Fn(char) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.state()) {
            assert!(Instant::now() < deadline, "state {}", self.state());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_stopped_and_continued() {
    let (directory, sleeper) = (Directory::new(), Sleeper::start());
    let lab = lab(directory.0.clone());
    let ordered = lab.order(&ann(), &stop(sleeper.target())).unwrap();
    let active = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
    assert_eq!((active.state, sleeper.state()), (State::Active, 'T'), "{active:?}");
    // Who is stopped is not stopped again: the end of one would undo the other.
    let second = lab.order(&ann(), &stop(sleeper.target())).unwrap();
    let refused = lab.wait(&second.ids, Until::Settled, PATIENCE).remove(0);
    assert_eq!((refused.state, sleeper.state()), (State::Refused, 'T'));
    assert_eq!(lab.close(PATIENCE), 0);
    assert_eq!(sleeper.state(), 'S');
}

#[test]
fn a_process_is_killed() {
    let (directory, sleeper) = (Directory::new(), Sleeper::start());
    let lab = lab(directory.0.clone());
    let kill = InjectRequest::new(Fault::Process(ProcessFault::Kill), sleeper.target());
    let ordered = lab.order(&ann(), &kill).unwrap();
    let active = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
    assert_eq!((active.state, sleeper.state()), (State::Active, 'Z'));
    assert_eq!(lab.close(PATIENCE), 0);
}

#[test]
fn another_process_with_the_same_number_is_not_struck() {
    let (directory, sleeper) = (Directory::new(), Sleeper::start());
    let lab = lab(directory.0.clone());
    let Target::Process { pid, start_time } = sleeper.target() else { panic!("a process") };
    let others = [
        Target::Process { pid, start_time: start_time + 1 },
        Target::Process { pid: std::process::id(), start_time },
        Target::Process { pid: 1, start_time: 0 },
        Target::Host,
    ];
    for other in others {
        for fault in [ProcessFault::Stop, ProcessFault::Kill] {
            let order = InjectRequest::new(Fault::Process(fault), other.clone());
            let ordered = lab.order(&ann(), &order).unwrap();
            let refused = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
            assert_eq!(refused.state, State::Refused, "{other:?}");
        }
    }
    assert_eq!(sleeper.state(), 'S');
}

/// Starts a lab of its own that stops the sleeper.
fn stopped_by_another(directory: &Directory, sleeper: &Sleeper, ttl: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::role_lab", "--ignored", "--nocapture"])
        .env("BULKHEAD_TEST_DIRECTORY", &directory.0)
        .env("BULKHEAD_TEST_PID", sleeper.0.id().to_string())
        .env("BULKHEAD_TEST_TTL", ttl)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let state = output.lines().map_while(Result::ok).find(|line| line.starts_with("state: "));
    assert_eq!(state.as_deref(), Some("state: active"));
    child
}

#[test]
fn a_lab_that_is_killed_leaves_nothing_stopped() {
    let (directory, sleeper) = (Directory::new(), Sleeper::start());
    let mut child = stopped_by_another(&directory, &sleeper, "15m");
    assert_eq!(sleeper.state(), 'T');
    child.kill().unwrap();
    child.wait().unwrap();
    sleeper.wait_for(|state| state != 'T');
    // And the next lab finds it, and that it is gone.
    let lab = lab(directory.0.clone());
    let ids: Vec<_> = lab.injections(false, 10).iter().map(|it| it.id).collect();
    assert_eq!(lab.wait(&ids, Until::Ended, PATIENCE)[0].state, State::Reverted);
}

/// A lab that hangs does not even see that the time is over.
#[test]
fn a_lab_that_hangs_leaves_nothing_stopped_for_longer_than_its_time() {
    let (directory, sleeper) = (Directory::new(), Sleeper::start());
    let mut child = stopped_by_another(&directory, &sleeper, "3s");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    sleeper.wait_for(|state| state != 'T');
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A process, by all that it may be called.
#[test]
fn a_process_is_found_when_it_is_ordered_and_is_the_same_from_then_on() {
    let directory = Directory::new();
    let lab = lab(directory.0.join("state"));
    let sleeper = Sleeper::start();
    let Target::Process { pid, .. } = sleeper.target() else { panic!("a process") };
    let file = directory.0.join("pid");
    fs::write(&file, format!("{pid}\n")).unwrap();
    let resolve = |name: &serde_json::Value, id| {
        let target = json!({"process": name});
        let mut order = InjectRequest::new(
            Fault::Process(ProcessFault::Kill),
            serde_json::from_value::<NamedTarget>(target).unwrap(),
        );
        order.id = id;
        lab.resolve(&ann(), &order).map_err(|denied| denied.to_string())
    };
    for name in [
        json!({"pid": pid}),
        json!({"pid_file": file}),
        json!({"pid_file": file, "command": "sleep"}),
        json!({"pid": pid, "command": "sleep"}),
    ] {
        let found = resolve(&name, None).unwrap();
        assert_eq!(found.target, Some(sleeper.target()), "{name}");
    }
    let nothing = directory.0.join("nothing");
    fs::write(&nothing, "sleep").unwrap();
    for (name, why) in [
        (json!({"pid": pid, "start_time": 1, "command": "sleep"}), "there is no process with pid"),
        (json!({"pid": pid, "command": "true"}), "there is no process with pid"),
        (json!({"pid": pid, "port": 1}), "there is no process with pid"),
        (json!({"pid": u32::MAX}), "there is no process with pid"),
        (json!({"pid_file": nothing}), "holds no number"),
        (json!({"pid_file": directory.0}), "it is no file"),
        (json!({"pid_file": directory.0.join("missing")}), "read "),
        (json!({"command": "no such program"}), "there is no process with command"),
        (json!({}), "a process is named by"),
    ] {
        let error = resolve(&name, None).unwrap_err();
        assert!(error.contains(why), "{name}: {error}");
    }
    // Ordered once and repeated when it is gone: the same order, not another process.
    let id = ChaosId::new(UNIX_EPOCH.elapsed().unwrap(), &mut Random::new(1));
    let order = resolve(&json!({"pid_file": file}), Some(id)).unwrap();
    let ordered = lab.order(&ann(), &order).unwrap();
    let settled = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
    assert_eq!((settled.state, settled.target), (State::Active, sleeper.target()));
    drop(sleeper);
    assert!(resolve(&json!({"pid_file": file}), None).is_err(), "it is gone");
    let again = resolve(&json!({"pid_file": file}), Some(id)).unwrap();
    assert_eq!(again, order);
    assert_eq!(lab.order(&ann(), &again).unwrap(), ordered);
    assert_eq!(lab.close(PATIENCE), 0);
    let audit = fs::read_to_string(directory.0.join("state/audit.log")).unwrap();
    assert!(audit.contains("\"found\"") && audit.contains("\"start_time\""), "{audit}");
}

/// Two of the same name are none.
#[test]
fn a_name_that_several_have_names_nobody() {
    let directory = Directory::new();
    let lab = lab(directory.0.join("state"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _sleepers = [Sleeper::start(), Sleeper::start()];
    let resolve = |name: serde_json::Value| {
        let target: NamedTarget = serde_json::from_value(json!({"process": name})).unwrap();
        let order = InjectRequest::new(Fault::Process(ProcessFault::Stop), target);
        lab.resolve(&ann(), &order).map(|order| order.target).map_err(|denied| denied.to_string())
    };
    let several = resolve(json!({"command": "sleep"})).unwrap_err();
    assert!(several.contains("say more of the one that is meant"), "{several}");
    // The lab itself is never meant by a port or a program.
    let own = resolve(json!({"port": port})).unwrap_err();
    assert!(own.contains("there is no process with a listening socket"), "{own}");
    // Another process has the socket now.
    let socket = std::os::fd::OwnedFd::from(listener);
    let server = Sleeper(Command::new("sleep").arg("600").stdin(socket).spawn().unwrap());
    assert_eq!(resolve(json!({"port": port})), Ok(Some(server.target())));
    assert_eq!(resolve(json!({"port": port, "command": "sleep"})), Ok(Some(server.target())));
    assert_eq!(lab.close(PATIENCE), 0);
}
