//! Labs that are killed while they inject faults of every kind: whatever the step, an independent look
//! finds nothing left once the next lab has been there.
//!
//! `BULKHEAD_TEST_INJECTIONS` says how many injections there are at least; 200 where it does not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{InjectRequest, Random, State, Target};
use bulkhead_lab::{
    HostInjector, KillProcess, Lab, LabOptions, Registry, RestartProcess, StopProcess, Until,
    process_target,
};

use crate::host::{Group, Mount, Victim, carry_command, fault, with_environment};
use crate::process::guardian_command;
use crate::stage::{Directory, PATIENCE, ann};

const INJECTIONS: usize = 200;
/// A lab is killed after so many changes of state at most.
const STEPS_MAX: u64 = 90;
/// So many injections are alive when it takes them all back.
const ALIVE_MAX: usize = 12;

fn open(directory: PathBuf) -> Lab {
    let registry = Registry::new()
        .with(StopProcess::new(guardian_command()))
        .with(KillProcess)
        .with(RestartProcess::new(true))
        .with(HostInjector::new(carry_command()));
    let engine = bulkhead_chaos::EngineOptions { overall_ms: 20_000, ..Default::default() };
    Lab::open(LabOptions { directory, engine, policy: Default::default(), seed: 1 }, registry)
        .unwrap()
}

/// What is injected into what. What a victim does not survive is a child that ends with the lab.
fn order(number: u64, victims: &[u32], mount: Option<&str>) -> (InjectRequest, Option<Child>) {
    let victim = || process_target(victims[number as usize % victims.len()]).unwrap();
    let short_lived = || {
        let mut cat = Command::new("cat");
        let child = cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        (process_target(child.id()).unwrap(), Some(child))
    };
    let (json, (target, child)) = match number % 9 {
        0 => (r#"{"process": "stop"}"#.to_owned(), (victim(), None)),
        1 => (r#"{"process": "kill"}"#.to_owned(), short_lived()),
        2 => {
            let json = r#"{"process": {"restart": {"command": ["sleep", "3"]}}}"#;
            (json.to_owned(), short_lived())
        }
        3 => {
            (r#"{"host": {"cpu": {"threads": 1, "percent": 5}}}"#.to_owned(), (Target::Host, None))
        }
        4 => (r#"{"host": {"memory": {"bytes": 1048576}}}"#.to_owned(), (victim(), None)),
        5 => {
            let json = r#"{"host": {"io": {"directory": "/tmp", "bytes": 4096}}}"#;
            (json.to_owned(), (Target::Host, None))
        }
        6 => (r#"{"host": {"descriptors": {"limit": 9}}}"#.to_owned(), (victim(), None)),
        7 => {
            let json = r#"{"host": {"memory_limit": {"bytes": 16777216}}}"#;
            (json.to_owned(), (process_target(victims[0]).unwrap(), None))
        }
        _ => {
            let json = format!(
                r#"{{"host": {{"disk_full": {{"directory": "{}"}}}}}}"#,
                mount.unwrap_or("/nowhere")
            );
            (json, (Target::Host, None))
        }
    };
    (InjectRequest::new(fault(&json), target), child)
}

/// In a child: a lab that injects until it is killed, and tells each change of state.
#[test]
#[ignore = "a role in other tests"]
fn role_lab() {
    let Ok(root) = std::env::var("BULKHEAD_TEST_DIRECTORY").map(PathBuf::from) else { return };
    let Ok(victims) = std::env::var("BULKHEAD_TEST_VICTIMS") else { return };
    let victims: Vec<u32> = victims.split(',').map(|pid| pid.parse().unwrap()).collect();
    let mount = std::env::var("BULKHEAD_TEST_MOUNT").ok();
    let mut number = std::env::var("BULKHEAD_TEST_SEED").unwrap().parse().unwrap();
    let lab = open(root.join("state"));
    let (_, mut coming) = lab.subscribe(0);
    thread::spawn(move || {
        while let Ok(happening) = coming.blocking_recv() {
            println!("\nchange {} {}", happening.kind, happening.state);
        }
    });
    let mut children = Vec::new();
    loop {
        let (request, child) = order(number, &victims, mount.as_deref());
        children.extend(child);
        let ordered = lab.order(&ann(), &request).unwrap();
        let settled = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
        if number % 3 == 0 {
            lab.stop(&ann(), settled.id, "enough").unwrap();
        }
        if lab.status().live >= ALIVE_MAX {
            let ids = lab.stop_all(&ann(), "enough of all").unwrap();
            lab.wait(&ids, Until::Ended, PATIENCE);
        }
        number += 1;
    }
}

/// Starts a lab and kills it after so many changes: how many injections began meanwhile, and of which
/// kinds some were in force.
fn killed_lab(mut command: Command, steps: u64, active: &mut Vec<String>) -> usize {
    let mut lab = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(lab.stdout.take().unwrap()).lines().map_while(Result::ok);
    let changes = lines.filter(|line| line.starts_with("change "));
    let mut begun = 0;
    for line in changes.take(steps as usize) {
        begun += usize::from(line.ends_with(" permitted"));
        if let Some(kind) = line.strip_prefix("change ").and_then(|it| it.strip_suffix(" active"))
            && !active.iter().any(|known| known == kind)
        {
            active.push(kind.to_owned());
        }
    }
    lab.kill().unwrap();
    let status = lab.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "it was killed: {status}");
    begun
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_stopped(victim: &Victim) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", victim.0.id())).unwrap();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

#[test]
fn labs_that_are_killed_leave_nothing_behind() {
    let injections = std::env::var("BULKHEAD_TEST_INJECTIONS");
    let injections = injections.map_or(INJECTIONS, |text| text.parse().unwrap());
    let directory = Directory::new();
    // Removed when its processes are gone: so it is the last to be let go of.
    let group = Group::new();
    let victims: Vec<Victim> = (0..4).map(|_| Victim::start()).collect();
    if let Some(group) = &group {
        fs::write(group.0.join("cgroup.procs"), victims[0].0.id().to_string()).unwrap();
    }
    let mount = Mount::new(&directory.0.join("disk"));
    let descriptors: Vec<u64> = victims.iter().map(Victim::descriptors).collect();
    let limit = group.as_ref().map(Group::limit);

    let pids: Vec<String> = victims.iter().map(|victim| victim.0.id().to_string()).collect();
    let (mut begun, mut labs, mut active) = (0, 0, Vec::new());
    while begun < injections {
        let chance = Random::new(labs).next();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "left_behind::role_lab", "--ignored", "--nocapture"])
            .env("BULKHEAD_TEST_DIRECTORY", &directory.0)
            .env("BULKHEAD_TEST_VICTIMS", pids.join(","))
            .env("BULKHEAD_TEST_SEED", (chance % 1_000).to_string());
        if let Some(mount) = &mount {
            command.env("BULKHEAD_TEST_MOUNT", &mount.0);
        }
        begun += killed_lab(command, 1 + chance % STEPS_MAX, &mut active);
        labs += 1;
    }

    // What the kernel, guardians and children take back by themselves, without any lab.
    let mark = format!("BULKHEAD_TEST_DIRECTORY={}", directory.0.display());
    wait_until("children end with their lab", || with_environment(&mark).is_empty());
    let lab = open(directory.0.join("state"));
    let ids: Vec<_> = lab.injections(true, 1_000).iter().map(|it| it.id).collect();
    for ended in lab.wait(&ids, Until::Ended, PATIENCE) {
        assert!(ended.state.is_terminal() && ended.state != State::RevertFailed, "{ended:?}");
    }
    assert_eq!(lab.close(PATIENCE), 0);

    assert!(!victims.iter().any(is_stopped));
    assert_eq!(victims.iter().map(Victim::descriptors).collect::<Vec<_>>(), descriptors);
    assert_eq!(group.as_ref().map(Group::limit), limit);
    if let Some(mount) = &mount {
        assert_eq!(files(&mount.0), 0);
        fs::write(mount.0.join("room"), vec![1; 8 << 20]).unwrap();
    }
    wait_until("what was started again ends", || with_environment(&mark).is_empty());
    let mut kinds = vec!["process.stop", "process.kill", "process.restart"];
    kinds.extend(["host.cpu", "host.memory", "host.io", "host.descriptors"]);
    kinds.extend(group.is_some().then_some("host.memory_limit"));
    kinds.extend(mount.is_some().then_some("host.disk_full"));
    for kind in kinds {
        assert!(active.iter().any(|it| it == kind), "{kind} was never in force: {active:?}");
    }
    eprintln!("{begun} injections, {labs} labs killed, nothing left behind");
}

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}
