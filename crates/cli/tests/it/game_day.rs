//! All parts of the lab at once: an experiment, the lab, a gateway and its origins, each a process of its own.

mod groups;
mod production;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bulkhead_origin::Origin;
use bulkhead_testkit::Scratch;
use serde_json::{Value, json};

use crate::bulkhead;
use crate::running::{Running, address, get, origin};

const EXPERIMENT: &str = include_str!("../../../../examples/chaos/first-experiment.yaml");
const GATEWAY: &str = include_str!("../../../../examples/chaos/gateway.yaml");
/// What makes the example's abort one of a test client only.
const CONDITION: &str = "headers: [{name: x-test-client}]";

/// Killed and waited for, whatever becomes of the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that has said its first line.
fn first_line(command: &mut Command) -> (Process, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    (process, line)
}

/// Field 3 (state) and field 22 (start time) of `/proc/PID/stat`, read by ourselves.
fn stat(pid: u32) -> (String, String) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[0].to_owned(), fields[19].to_owned())
}

/// A gateway with two origins, of which one is a process that can be stopped.
struct GameDay {
    scratch: Scratch,
    stoppable: Process,
    origin: SocketAddr,
    _other: Origin,
    _gateway: Running,
    web: SocketAddr,
    admin: SocketAddr,
}

impl GameDay {
    fn begin() -> Self {
        let scratch = Scratch::new();
        let (stoppable, line) = first_line(bulkhead().args(["origin", "--listen", "127.0.0.1:0"]));
        let (address_of, other) = (address(&line, "listens on "), origin());
        let config = GATEWAY
            .replace("127.0.0.1:9901", "127.0.0.1:0")
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("127.0.0.1:9001", &address_of.to_string())
            .replace("127.0.0.1:9002", &other.addr().to_string());
        let file = scratch.write("gateway.yaml", config).display().to_string();
        let mut gateway = Running::start(&["--config", &file, "--allow-faults"]);
        let admin = address(&gateway.wait_for("admin server"), "http://");
        let web = address(&gateway.wait_for("ready:"), "on ");
        Self {
            scratch,
            stoppable,
            origin: address_of,
            _other: other,
            _gateway: gateway,
            web,
            admin,
        }
    }

    /// Runs an experiment with a lab of its own, and looks that nothing is left behind.
    fn run(&self, experiment: &str, lab_arguments: &[&str]) -> (Output, Value) {
        let state = self.scratch.path().join("state");
        // Machines are busy: the attempts have time.
        let engine = self.scratch.write("engine.json", r#"{"overall_ms": 10000}"#);
        let mut command = bulkhead();
        command.args(["chaos", "serve"]).args(lab_arguments);
        command.arg("--state").arg(&state).arg("--engine").arg(engine);
        let (_lab, line) = first_line(&mut command);
        let lab = line.trim().strip_prefix("chaos lab on ").unwrap();
        self.scratch.write("experiment.yaml", experiment);
        let pid = self.stoppable.0.id();
        // `bulkhead` is one of the programs that experiments may call.
        let own = Path::new(bulkhead().get_program()).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
        let output = bulkhead()
            .current_dir(self.scratch.path())
            .args(["chaos", "run", "experiment.yaml", "--lab", lab])
            .args(["--var", &format!("gateway=http://{}", self.web)])
            .args(["--var", &format!("admin={}", self.admin)])
            .env("PATH", path.unwrap())
            .args(["--var", &format!("origin_port:int={}", self.origin.port())])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_ne!(stat(pid).0, "T", "{output:?}");
        let faults = get(self.admin, "/faults");
        assert!(faults.starts_with("HTTP/1.1 200 "), "{faults}");
        assert!(!faults.replace(' ', "").contains(r#""state":"active""#), "{faults}");
        let journal = fs::read_to_string(self.scratch.path().join("journal.json")).unwrap();
        (output, serde_json::from_str(&journal).unwrap())
    }
}

fn states(journal: &Value) -> Vec<&str> {
    let injections = journal["bulkhead"]["injections"].as_array().unwrap();
    injections.iter().map(|one| one["state"].as_str().unwrap()).collect()
}

#[test]
fn a_hypothesis_is_held_or_not_under_faults_that_are_taken_back() {
    let day = GameDay::begin();
    let (held, journal) = day.run(EXPERIMENT, &[]);
    assert_eq!(held.status.code(), Some(0), "{held:?} {journal:#}");
    assert_eq!(states(&journal), ["reverted", "reverted"]);
    assert_eq!(journal["bulkhead"]["outcome"], "held");
    // The process was named by its port, and the journal says which one was meant.
    let pid = day.stoppable.0.id();
    let found = json!({"pid": pid, "start_time": stat(pid).1.parse::<u64>().unwrap()});
    assert_eq!(journal["bulkhead"]["injections"][1]["target"]["process"], found);
    let last = journal["run"].as_array().unwrap().last().unwrap();
    assert_eq!(last["output"]["status"], 503, "the test client is turned away: {last:#}");
    assert_eq!(journal["bulkhead"]["steady_state_after_revert"]["steady_state_met"], true);

    // The same abort for everybody.
    let everybody = EXPERIMENT.replace(CONDITION, "");
    assert_ne!(everybody, EXPERIMENT);
    let (deviated, journal) = day.run(&everybody, &[]);
    assert_eq!(deviated.status.code(), Some(1), "{deviated:?} {journal:#}");
    assert_eq!(states(&journal), ["reverted", "reverted"]);
    assert_eq!(journal["bulkhead"]["outcome"], "deviated");
    assert_eq!(journal["deviated"], true);
}

/// The lab's own mutation check: everything looks well, as nothing was done.
#[test]
fn injectors_that_do_nothing_are_found_out() {
    let day = GameDay::begin();
    let (output, journal) = day.run(EXPERIMENT, &["--inert"]);
    assert_eq!(output.status.code(), Some(2), "{output:?} {journal:#}");
    assert_eq!(states(&journal), ["not_effective", "not_effective"]);
    assert_eq!(journal["bulkhead"]["outcome"], "not_effective");
    assert_eq!(journal["bulkhead"]["verdict"]["hypothesis"], "held");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("injection not effective"), "{told}");
}
