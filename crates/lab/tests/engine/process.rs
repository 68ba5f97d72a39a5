//! Real processes, stopped and killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{Fault, InjectRequest, ProcessFault, State, Target};
use bulkhead_lab::{
    GuardianCommand, KillProcess, Lab, LabOptions, Registry, StopProcess, Until, guard,
    process_target,
};

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
