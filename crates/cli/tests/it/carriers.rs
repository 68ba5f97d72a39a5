//! A lab without root that strikes an interface by `bulkhead chaos hold-carriers`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bulkhead_testkit::Scratch;
use serde_json::Value;

use crate::bulkhead;

const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever is nobody on this machine.
const NOBODY: u32 = 65_534;
const PARTITION: &str = r#"{"network": {"partition": {"direction": "upstream"}}}"#;

/// A command that runs until the end of the test, once it has said its first line.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Self(child);
        assert!(line.contains(" on unix:"), "{command:?}: {line}");
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where everything is.
struct Place {
    scratch: Scratch,
    state: String,
    socket: String,
}

impl Place {
    fn new() -> Self {
        let scratch = Scratch::new();
        std::os::unix::fs::chown(scratch.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let (state, socket) = (path("state"), path("carriers.sock"));
        Self { scratch, state, socket }
    }

    fn hold(&self, allow: &str) -> Running {
        let user = NOBODY.to_string();
        let mut command = bulkhead();
        command.args(["chaos", "hold-carriers", "--socket", &self.socket]);
        Running::start(command.args(["--user", &user, "--allow", allow]))
    }

    fn nobody(&self, arguments: &[&str]) -> Command {
        let mut command = bulkhead();
        command.arg("chaos").args(arguments).args(["--state", &self.state]);
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
        command
    }

    fn lab(&self) -> Running {
        let engine = self.scratch.write("engine.json", r#"{"overall_ms": 20000}"#);
        let engine = engine.display().to_string();
        let serve = ["serve", "--carriers", &self.socket, "--engine", &engine];
        Running::start(self.nobody(&serve).stderr(Stdio::null()))
    }

    fn inject(&self, port: &str) -> Output {
        let scope = ["--interface", "lo", "--protocol", "udp", "--server-port", port];
        let mut command = self.nobody(&["inject", PARTITION, "--ttl", "10m"]);
        command.args(scope).output().unwrap()
    }
}

/// Two sockets on loopback.
struct Pair(UdpSocket, UdpSocket);

impl Pair {
    fn new() -> Self {
        let open = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (client, server) = (open(), open());
        client.connect(server.local_addr().unwrap()).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self(client, server)
    }

    fn port(&self) -> String {
        self.1.local_addr().unwrap().port().to_string()
    }

    fn passes(&self) -> bool {
        self.0.send(b"?").unwrap();
        self.1.recv(&mut [0]).is_ok()
    }

    fn wait_until_it_passes(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.passes() {
            assert!(Instant::now() < deadline, "the fault is still in force");
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The process of `held by process 4711`.
fn holder(told: &str) -> String {
    let number = told.rsplit("held by process ").next().unwrap();
    number.chars().take_while(char::is_ascii_digit).collect()
}

fn kill(process: &str) {
    assert!(Command::new("kill").args(["-9", process]).status().unwrap().success());
}

#[test]
fn a_lab_that_is_not_root_strikes_what_it_may() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root may hold carriers here");
    }
    let (place, pair) = (Place::new(), Pair::new());
    assert!(pair.passes());
    let door = place.hold(&format!("lo:udp:{}", pair.port()));
    let lab = place.lab();
    let refused = place.inject("9");
    let told = text(&refused.stdout) + &text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("may not strike these packets of `lo`"), "{told}");

    let injected = place.inject(&pair.port());
    let told = text(&injected.stdout) + &text(&injected.stderr);
    if told.contains("the kernel does not let") {
        return eprintln!("skipped: {told}");
    }
    assert!(injected.status.success(), "{told}");
    assert!(!pair.passes());

    // Its process is killed: nothing is left, and status tells why.
    kill(&holder(&told));
    pair.wait_until_it_passes();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = place.nobody(&["status", "--all"]).output().unwrap();
        let told = text(&status.stdout);
        if told.contains("reverted") && told.contains("which held it, has ended") {
            break;
        }
        assert!(Instant::now() < deadline, "{told}");
    }

    // The lab is killed, and then the journal asked.
    assert!(place.inject(&pair.port()).status.success());
    assert!(!pair.passes());
    drop(lab);
    pair.wait_until_it_passes();
    let revert = || place.nobody(&["revert", "--all"]).output().unwrap();
    let reverted = revert();
    assert!(text(&reverted.stdout).contains("1 taken back, 0 left"), "{reverted:?}");

    // The one who listens is killed, and all its processes with it: nobody may look any more.
    let lab = place.lab();
    assert!(place.inject(&pair.port()).status.success());
    assert!(!pair.passes());
    drop(door);
    pair.wait_until_it_passes();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = place.nobody(&["status", "--json"]).output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        if status["live"].as_array().unwrap().is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{status}");
    }
    let refused = place.inject(&pair.port());
    let told = text(&refused.stdout) + &text(&refused.stderr);
    assert!(told.contains("there is no process that holds carriers"), "{told}");
    assert!(Path::new(&place.socket).exists(), "it was killed");
    drop(lab);
}
