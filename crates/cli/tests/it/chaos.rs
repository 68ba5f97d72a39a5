//! `bulkhead chaos` and `bulkhead bench chaos`, from outside.

mod otlp;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_testkit::Scratch;
use serde_json::Value;

use crate::bulkhead;

const PATIENCE: Duration = Duration::from_secs(60);

/// Killed and waited for, whatever becomes of the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn sleeper() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    fn wait_until_it_goes_on(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.state() == 'T' {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A lab that listens by the time this returns. Machines are busy: the attempts have time.
fn serve(scratch: &Scratch, state: &str) -> Process {
    serve_with(scratch, state, r#"{"overall_ms": 20000}"#, &[])
}

fn serve_with(scratch: &Scratch, state: &str, engine: &str, arguments: &[&str]) -> Process {
    let engine = scratch.write("engine.json", engine);
    let mut child = bulkhead()
        .args(["chaos", "serve", "--state", state, "--engine"])
        .arg(engine)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("chaos lab on unix:"), "{line}");
    Process(child)
}

fn chaos(state: &str, arguments: &[&str]) -> Output {
    let mut command = bulkhead();
    command.arg("chaos").args(arguments).args(["--state", state]);
    command.stdin(Stdio::null()).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn path(scratch: &Scratch) -> String {
    scratch.path().join("state").display().to_string()
}

#[test]
fn a_process_is_stopped_and_continued_by_command() {
    let (scratch, sleeper) = (Scratch::new(), Process::sleeper());
    let state = path(&scratch);
    let lab = serve(&scratch, &state);
    let dry = chaos(&state, &["inject", "process.stop", "--pid", &sleeper.pid(), "--dry-run"]);
    assert!(dry.status.success() && String::from_utf8_lossy(&dry.stdout).contains("SIGSTOP"));
    assert_ne!(sleeper.state(), 'T');
    let pid = sleeper.pid();
    let injected =
        chaos(&state, &["inject", "process.stop", "--pid", &pid, "--ttl", "5m", "--json"]);
    assert_eq!(injected.status.code(), Some(0), "{injected:?}");
    assert_eq!(sleeper.state(), 'T');
    let status = json(&chaos(&state, &["status", "--json"]));
    assert_eq!(status["live"][0]["id"], json(&injected)["ids"][0]);
    let again = chaos(&state, &["inject", "process.stop", "--pid", &pid]);
    assert_eq!(again.status.code(), Some(2), "refused: {again:?}");
    let restart = r#"{"process": {"restart": {"command": ["true"]}}}"#;
    let command = chaos(&state, &["inject", restart, "--pid", &pid]);
    assert!(String::from_utf8_lossy(&command.stdout).contains("--allow-commands"), "{command:?}");
    let id = json(&injected)["ids"][0].as_str().unwrap().to_owned();
    let reverted = chaos(&state, &["revert", &id]);
    assert_eq!(reverted.status.code(), Some(0), "{reverted:?}");
    let told = chaos(&state, &["status", "--all"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("0 injections alive") && told.contains("wanted so): sleep"), "{told}");
    assert_ne!(sleeper.state(), 'T');

    // The lever takes it back and blocks what is new.
    assert!(chaos(&state, &["inject", "process.stop", "--pid", &pid]).status.success());
    assert!(chaos(&state, &["lever", "engage"]).status.success());
    sleeper.wait_until_it_goes_on();
    let blocked = chaos(&state, &["inject", "process.stop", "--pid", &pid]);
    assert_eq!(blocked.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&blocked.stderr).contains("lever"), "{blocked:?}");
    drop(lab);
    assert_eq!(json(&chaos(&state, &["lever", "show", "--json"]))["engaged"], true);
    assert!(chaos(&state, &["lever", "release"]).status.success());
    let audit = bulkhead().args(["chaos", "audit", "verify", "--state", &state]).output().unwrap();
    assert!(audit.status.success(), "{audit:?}");
    let log = Path::new(&state).join("audit.log");
    let text = fs::read_to_string(&log).unwrap().replacen("SIGSTOP", "SIGSTOQ", 1);
    fs::write(&log, text).unwrap();
    let audit = bulkhead().args(["chaos", "audit", "verify"]).arg(&log).output().unwrap();
    assert_eq!(audit.status.code(), Some(1), "{audit:?}");
}

#[test]
fn a_lab_that_ends_takes_everything_back() {
    let (scratch, sleeper) = (Scratch::new(), Process::sleeper());
    let state = path(&scratch);
    let mut lab = serve(&scratch, &state);
    assert!(chaos(&state, &["inject", "process.stop", "--pid", &sleeper.pid()]).status.success());
    let terminate = Command::new("kill").arg(lab.pid()).status().unwrap();
    assert!(terminate.success());
    assert!(lab.0.wait().unwrap().success());
    assert_ne!(sleeper.state(), 'T');
    let status = json(&chaos(&state, &["status", "--json"]));
    assert_eq!((&status["running"], status["live"].as_array().unwrap().len()), (&false.into(), 0));
}

#[test]
fn revert_all_works_from_the_journal() {
    let (scratch, sleeper) = (Scratch::new(), Process::sleeper());
    let state = path(&scratch);
    let lab = serve(&scratch, &state);
    assert!(chaos(&state, &["inject", "process.stop", "--pid", &sleeper.pid()]).status.success());
    drop(lab);
    // Its guardian has continued the process; the journal does not know that.
    sleeper.wait_until_it_goes_on();
    let status = json(&chaos(&state, &["status", "--json"]));
    assert_eq!(status["live"][0]["state"], "unknown");
    let reverted = chaos(&state, &["revert", "--all", "--json"]);
    assert_eq!(json(&reverted)["reverted"], 1, "{reverted:?}");
    assert_eq!(json(&chaos(&state, &["revert", "--all", "--json"]))["reverted"], 0);
    let alone = chaos(&state, &["inject", "process.stop", "--pid", &sleeper.pid()]);
    assert_eq!(alone.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("bulkhead chaos serve"));
}

#[test]
fn an_order_for_production_is_approved_by_command() {
    let (scratch, sleeper) = (Scratch::new(), Process::sleeper());
    let state = path(&scratch);
    // `ann` and `bob`, by the digests of their tokens.
    let policy = r#"{"actors": [
        {"name": "ann", "role": "approver", "token_sha256":
            "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1"},
        {"name": "bob", "role": "operator", "token_sha256":
            "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9"}]}"#;
    let policy = scratch.write("policy.json", policy).display().to_string();
    let _lab = serve_with(&scratch, &state, r#"{"overall_ms": 20000}"#, &["--policy", &policy]);
    let [ann, bob] = ["ann", "bob"].map(|it| scratch.write(it, it).display().to_string());
    let pid = sleeper.pid();
    let order = ["process.stop", "--pid", &pid, "--label", "environment=production"];
    let ask = |command: &str, token: &str, more: &[&str]| {
        let first = [command, "--token-file", token];
        chaos(&state, &[&first[..], &order, more].concat())
    };
    let unapproved = ask("inject", &bob, &[]);
    assert_eq!(unapproved.status.code(), Some(4), "{unapproved:?}");
    assert!(String::from_utf8_lossy(&unapproved.stderr).contains("chaos approve"));
    assert_eq!(ask("approve", &bob, &[]).status.code(), Some(4), "that is not for operators");
    let approved = ask("approve", &ann, &["--within", "10m", "--json"]);
    let id = json(&approved)["id"].as_str().unwrap().to_owned();
    let injected = ask("inject", &bob, &["--approval", &id]);
    assert!(injected.status.success(), "{injected:?}");
    assert_eq!(sleeper.state(), 'T');
    let told = chaos(&state, &["status", "--token-file", &bob]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains(&format!("at process {pid}, ordered by bob; ends by")), "{told}");
}

#[test]
fn what_cannot_be_ordered_is_told_with_what_could() {
    let scratch = Scratch::new();
    let state = path(&scratch);
    let _lab = serve(&scratch, &state);
    for (arguments, told) in [
        (&["network.loss", "--link", "storm"][..], "bernoulli"),
        (&["process.stpo", "--pid", "1"], "chaos kinds"),
        (&["process.stop", "--pid", "4194304"], "there is no process with pid 4194304"),
        (&[r#"{"http": {"goaway": {}}}"#, "--gateway", "127.0.0.1:1"], "missing field `percent`"),
    ] {
        let answer = chaos(&state, &[&["inject"][..], arguments].concat());
        assert_eq!(answer.status.code(), Some(2), "{arguments:?}: {answer:?}");
        let text = [&answer.stdout[..], &answer.stderr].concat();
        assert!(String::from_utf8_lossy(&text).contains(told), "{arguments:?}: {answer:?}");
    }
    let one = bulkhead().args(["chaos", "kinds", "network.loss"]).output().unwrap();
    let one = String::from_utf8(one.stdout).unwrap();
    assert!(one.contains("--link NAME") && one.contains("--interface NAME"), "{one}");
    let family = bulkhead().args(["chaos", "kinds", "host"]).output().unwrap();
    assert_eq!(String::from_utf8(family.stdout).unwrap().lines().count(), 6);
}

/// Kinds that the bench knows.
const KINDS: usize = 46;

#[test]
fn the_lab_is_measured_while_parts_are_killed() {
    let scratch = Scratch::new();
    let file = scratch.path().join("chaos.json");
    let output = bulkhead()
        .args(["bench", "chaos", "--injections", "144", "--kills", "8", "--json"])
        .arg(&file)
        // Where something went wrong it leaves its journal.
        .env("TMPDIR", scratch.path())
        .output()
        .unwrap();
    let text = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{output:?}"));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["injections"], 144, "{output:?}");
    // On a machine that is too busy an injection may run out of time, but is taken back all the same.
    assert_eq!(report["left_behind"], 0, "{report:#}");
    assert_eq!(report["reverts"]["success_rate"], 1.0, "{report:#}");
    assert_ne!(output.status.code(), Some(3), "{output:?}");
    assert!(report["latency_ms"]["mean"].as_f64().unwrap() > 0.0);
    let counts = report["kills"].as_object().unwrap().values();
    let kills: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert!((1..=8).contains(&kills), "{report:#}");
    // What this machine cannot do is named.
    let (kinds, not) = (report["kinds"].as_object().unwrap(), &report["infeasible"]);
    assert_eq!(kinds.len() + not.as_object().unwrap().len(), KINDS, "{report:#}");
    assert!(kinds.values().all(|kind| kind["injections"].as_u64() >= Some(3)), "{report:#}");
    let never = kinds.iter().find(|(_, kind)| kind["success_rate"] == 0.0);
    assert!(never.is_none_or(|(_, kind)| kind["feasible"] == 0), "{never:?}");
    let links = ["network.loss", "network.dns"].map(|it| kinds.contains_key(it));
    assert!(links == [true; 2] || not["network.loss"].is_string(), "{report:#}");
    for carried in ["network.loss@nftables", "network.loss@bpf"] {
        assert!(kinds.contains_key(carried) || not[carried].is_string(), "{report:#}");
    }
}
