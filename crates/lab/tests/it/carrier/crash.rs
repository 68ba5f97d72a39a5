//! A lab that is killed while faults of interfaces are in force, and the next one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bulkhead_chaos::{Caller, Fault, InjectRequest, InterfaceTarget, Role, State, Target};
use bulkhead_lab::{Lab, LabOptions, Registry, Until};

use super::{CARRIERS, Pair, injector, loopback, namespace};
use crate::support::{PATIENCE, fault};

const CUT: &str = r#"{"partition": {"direction": "upstream"}}"#;
const DIRECTORY: &str = "BULKHEAD_TEST_DIRECTORY";
const TARGETS: &str = "BULKHEAD_TEST_TARGETS";

fn lab(directory: PathBuf) -> Lab {
    let (engine, policy) = Default::default();
    let options = LabOptions { directory, engine, policy, seed: 1 };
    Lab::open(options, Registry::new().with(injector())).unwrap()
}

/// In the child: a lab that injects at all targets, says what became of it, and is killed.
#[test]
#[ignore = "a role in other tests"]
fn role_lab() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let targets: Vec<InterfaceTarget> =
        serde_json::from_str(&std::env::var(TARGETS).unwrap()).unwrap();
    let lab = lab(directory.into());
    let caller = Caller { name: "ann".to_owned(), role: Role::Operator };
    for target in targets {
        let request = InjectRequest::new(Fault::Network(fault(CUT)), Target::Interface(target));
        let ordered = lab.order(&caller, &request).unwrap();
        let injected = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
        println!("\n{}", injected.state);
    }
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
}

#[test]
fn the_next_lab_finds_that_nothing_is_left_of_a_killed_one() {
    let Some(namespace) = namespace() else { return };
    let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
    let targets = CARRIERS.map(|carrier| loopback(&namespace, carrier, Some(pair.port())));
    let directory = std::env::temp_dir().join(format!("bulkhead-carriers-{}", std::process::id()));
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "carrier::crash::role_lab", "--ignored", "--nocapture"])
        .env(DIRECTORY, &directory)
        .env(TARGETS, serde_json::to_string(&targets).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let active = told.lines().filter(|line| *line == "active").count();
    if active == 0 {
        eprintln!("skipped: this host lets no carrier in: {told}");
    }
    assert_eq!(pair.up(100).len(), 100, "the kernel has taken everything back: {told}");

    let lab = lab(directory.clone());
    let ids: Vec<_> = lab.injections(false, 10).iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), CARRIERS.len(), "{told}");
    let ended = lab.wait(&ids, Until::Ended, PATIENCE);
    let reverted = ended.iter().filter(|it| it.state == State::Reverted).count();
    assert_eq!(reverted, active, "{told}{ended:?}");
    assert_eq!(lab.close(PATIENCE), 0);
    std::fs::remove_dir_all(directory).unwrap();
}
