//! Links that `bulkhead chaos serve` holds: programs at their ends, faults on them, and their end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_testkit::Scratch;
use serde_json::{Value, json};

use crate::bulkhead;

const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever is nobody on this machine.
const NOBODY: u32 = 65_534;
const PARTITION: &str = r#"{"network": {"partition": {"direction": "upstream"}}}"#;
// Of the other direction: it is not to take from the partition what that should strike.
const LOSS: &str = r#"{"network": {"loss": {"direction": "downstream",
    "model": {"bernoulli": {"percent": 12}}}}}"#;

/// A lab, and whatever was started beside it; killed and waited for, whatever becomes of the test.
struct Lab {
    child: Child,
    state: String,
    user: Option<u32>,
    others: Vec<Child>,
    _scratch: Scratch,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in self.others.iter_mut().chain([&mut self.child]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the kernel does not let us do here, as the lab tells it.
struct Impossible(String);

impl Lab {
    fn with_link(user: Option<u32>) -> Result<Self, Impossible> {
        Self::start(user, r#"{"overall_ms": 20000}"#, &[])
    }

    fn start(user: Option<u32>, engine: &str, more: &[&str]) -> Result<Self, Impossible> {
        let scratch = Scratch::new();
        if let Some(user) = user {
            std::os::unix::fs::chown(scratch.path(), Some(user), Some(user)).unwrap();
        }
        let state = scratch.path().join("state").display().to_string();
        let engine = scratch.write("engine.json", engine);
        let mut command = bulkhead();
        command.args(["chaos", "serve", "--state", &state, "--link", "storm", "--engine"]);
        command.arg(engine).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Vec<String> = lines.take(2).map(Result::unwrap).collect();
        if said.is_empty() {
            let told = child.wait_with_output().unwrap();
            return Err(Impossible(String::from_utf8_lossy(&told.stderr).into_owned()));
        }
        assert!(said[1].starts_with("link storm up: client 10.83.0.1, server 10.83.0.2"));
        Ok(Self { child, state, user, others: Vec::new(), _scratch: scratch })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bulkhead();
        command.arg("chaos").args(arguments).args(["--state", &self.state]).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn must(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn at(&self, end: &str, program: &[&str]) -> Command {
        let mut command = self.command(&["exec", "--link", "storm", "--end", end]);
        command.arg("--").args(program);
        command
    }

    fn link(&self) -> Value {
        let links: Value = serde_json::from_str(&self.must(&["link", "list", "--json"])).unwrap();
        links[0].clone()
    }

    /// What the journal says of the end of an injection, once it does: it is written after the answer.
    fn end_of(&self, id: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let journal = fs::read_to_string(Path::new(&self.state).join("journal")).unwrap();
            let mut records = journal.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let is_end = |line: &&str| line.contains(r#""record":"end""#) && line.contains(id);
            if let Some(end) = records.find(is_end) {
                return serde_json::from_str(end.split_once(' ').unwrap().1).unwrap();
            }
            assert!(Instant::now() < deadline, "no end of {id}: {journal}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn holder(&self) -> u32 {
        self.link()["pid"].as_u64().unwrap().try_into().unwrap()
    }

    /// An origin at the end of the servers, once it listens.
    fn start_origin(&mut self) {
        let program = env!("CARGO_BIN_EXE_bulkhead");
        let mut command = self.at("server", &[program, "origin", "--listen", "10.83.0.2:8080"]);
        let mut origin = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(origin.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("10.83.0.2:8080"), "{line}");
        self.others.push(origin);
    }

    /// Whether requests over the link are answered. A busy machine is too slow for figures: only the
    /// answers matter.
    fn passes(&self) -> bool {
        let program = env!("CARGO_BIN_EXE_bulkhead");
        let url = "http://10.83.0.2:8080/api/v1/7/feed";
        let load = [program, "load", url, "--rate", "50", "--duration", "1s"];
        let mut command = self.at("client", &load);
        command.args(["--warmup", "0s", "--timeout", "1s", "--assert", "error_rate<1%"]);
        let told = command.output().unwrap();
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        let cut_off = String::from_utf8_lossy(&told.stderr).contains("did not come up");
        assert!(cut_off || text.contains("error_rate<1%"), "{told:?}");
        text.contains("error_rate<1%: holds")
    }
}

#[track_caller]
fn wait_until_gone(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    // One that its new parent has not noticed yet has no network any more.
    while Path::new(&format!("/proc/{pid}/ns/net")).read_link().is_ok() {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        thread::sleep(Duration::from_millis(1));
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Programs at both ends, a fault that cuts them off, and its taking back.
fn traffic_meets_faults(user: Option<u32>) {
    let mut lab = match Lab::with_link(user) {
        Ok(lab) => lab,
        Err(Impossible(why)) => return eprintln!("skipped: {why}"),
    };
    let interfaces = lab.at("client", &["cat", "/proc/net/dev"]).output().unwrap();
    let interfaces = String::from_utf8(interfaces.stdout).unwrap();
    assert_eq!(interfaces.matches(':').count(), 2, "loopback and the link: {interfaces}");
    assert!(interfaces.contains("storm:"), "{interfaces}");
    lab.start_origin();
    assert!(lab.passes());

    lab.must(&["inject", LOSS, "--link", "storm"]);
    let id: Value =
        serde_json::from_str(&lab.must(&["inject", PARTITION, "--link", "storm", "--json"]))
            .unwrap();
    assert!(!lab.passes());
    let id = id["ids"][0].as_str().unwrap();
    lab.must(&["revert", id]);
    let end = lab.end_of(id);
    assert!(end["effect"]["hits"].as_u64() > Some(0), "{end}");
    let live: Value = serde_json::from_str(&lab.must(&["status", "--json"])).unwrap();
    assert_eq!(live["live"].as_array().unwrap().len(), 1, "the loss is still there: {live}");
    lab.must(&["revert", "--all"]);
    assert!(lab.passes());

    // Removing takes back first, and leaves neither process nor fault.
    let holder = lab.holder();
    lab.must(&["inject", LOSS, "--link", "storm"]);
    assert!(lab.must(&["link", "remove", "storm"]).contains("storm"));
    wait_until_gone(holder);
    assert_eq!(lab.must(&["link", "list"]), "");
    let live: Value = serde_json::from_str(&lab.must(&["status", "--json"])).unwrap();
    assert_eq!(live["live"].as_array().unwrap().len(), 0);
    assert_eq!(lab.ask(&["inject", LOSS, "--link", "storm"]).status.code(), Some(2));
    assert_eq!(lab.at("client", &["true"]).status().unwrap().code(), Some(4));
    let audit = fs::read_to_string(Path::new(&lab.state).join("audit.log")).unwrap();
    for action in ["make_link", "remove_link"] {
        assert!(audit.contains(&format!(r#""action":"{action}""#)), "{audit}");
    }
}

#[test]
fn traffic_over_a_link_meets_its_faults() {
    traffic_meets_faults(None);
}

#[test]
fn a_link_needs_no_root() {
    if is_root() {
        traffic_meets_faults(Some(NOBODY));
    } else {
        eprintln!("skipped: the other test is without root already");
    }
}

#[test]
fn a_link_ends_with_its_lab_or_its_process() {
    let mut lab = match Lab::with_link(None) {
        Ok(lab) => lab,
        Err(Impossible(why)) => return eprintln!("skipped: {why}"),
    };
    // The process that holds it is killed: the fault is gone with it, and the link can be made anew.
    let holder = lab.holder();
    lab.must(&["inject", PARTITION, "--link", "storm", "--ttl", "10m"]);
    kill(holder);
    wait_until_gone(holder);
    let deadline = Instant::now() + PATIENCE;
    while lab.link()["up"] == true {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(lab.ask(&["inject", LOSS, "--link", "storm"]).status.code(), Some(2));
    let told = lab.at("client", &["true"]).output().unwrap();
    assert_eq!(told.status.code(), Some(4), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("link add storm"), "{told:?}");
    lab.must(&["link", "add", "storm"]);
    assert_ne!(lab.holder(), holder);
    assert!(lab.must(&["revert", "--all"]).contains("1 taken back"));
    lab.start_origin();
    assert!(lab.passes());
    assert_eq!(lab.ask(&["link", "add", "no name"]).status.code(), Some(4));
    let unknown = lab.ask(&["link", "add", "other", "--congestion-control", "nothing"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("choose one of"), "{unknown:?}");

    // The lab is killed: its link goes at once, and what was in force is taken back by the journal.
    let holder = lab.holder();
    lab.must(&["inject", PARTITION, "--link", "storm", "--ttl", "10m"]);
    lab.child.kill().unwrap();
    lab.child.wait().unwrap();
    wait_until_gone(holder);
    assert!(lab.must(&["revert", "--all"]).contains("1 taken back, 0 left"));
}

#[test]
fn the_ends_of_a_link_may_be_ethernet_interfaces() {
    let lab = match Lab::with_link(None) {
        Ok(lab) => lab,
        Err(Impossible(why)) => return eprintln!("skipped: {why}"),
    };
    for _ in 0..2 {
        assert!(lab.must(&["link", "add", "wire", "--link-kind", "veth"]).contains(", veth, "));
    }
    assert_eq!(lab.ask(&["link", "add", "wire"]).status.code(), Some(4), "it is of another kind");
    let links: Value = serde_json::from_str(&lab.must(&["link", "list", "--json"])).unwrap();
    assert_eq!((&links[0]["kind"], &links[1]["kind"]), (&json!("tun"), &json!("veth")), "{links}");
    let told = lab.must(&["inject", PARTITION, "--link", "wire", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["injections"][0]["rules"]["devices"], "veth", "{told}");
    assert!(lab.must(&["revert", "--all"]).contains("1 taken back, 0 left"));
}

/// The lab's check of itself reaches into the process of a link.
#[test]
fn a_fault_that_a_link_does_not_have_is_not_effective() {
    // One look is enough for what will never be there.
    let engine = r#"{"overall_ms": 20000, "attempt_ms": 5000, "retries": 0}"#;
    let lab = match Lab::start(None, engine, &["--inert"]) {
        Ok(lab) => lab,
        Err(Impossible(why)) => return eprintln!("skipped: {why}"),
    };
    let answer = lab.ask(&["inject", PARTITION, "--link", "storm", "--json"]);
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    let document: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(document["injections"][0]["state"], "not_effective", "{document}");
}
