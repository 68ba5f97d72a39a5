//! The executable is changed under a running gateway.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use bulkhead_testkit::{RawClient, Scratch};
use rustix::process::{Pid, Signal};

use crate::bulkhead;
use crate::running::{PATIENCE, Running, address, get};

fn config(status: u16) -> String {
    format!(
        "listeners:\n  - address: 127.0.0.1:0\n\
         routes:\n  - filters:\n      - direct_response: {{ status: {status} }}\n"
    )
}

/// Starts the gateway by a link, which can be put elsewhere.
fn start(scratch: &Scratch, arguments: &[&str]) -> Running {
    let link = scratch.path().join("bulkhead");
    symlink(env!("CARGO_BIN_EXE_bulkhead"), &link).unwrap();
    let mut command = Command::new(&link);
    command.arg("run").args(arguments).stdin(Stdio::null());
    Running::spawn(&mut command)
}

/// Lets the link lead to another program.
fn replace(scratch: &Scratch, program: &Path) {
    let (link, new) = (scratch.path().join("bulkhead"), scratch.path().join("bulkhead.new"));
    symlink(program, &new).unwrap();
    std::fs::rename(new, link).unwrap();
}

/// The process id in `upgrade: process N serves`.
fn heir(line: &str) -> Pid {
    let pid = line.split("process ").nth(1).unwrap().split(' ').next().unwrap();
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

#[test]
fn another_process_goes_on_with_the_same_sockets() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", config(201)).display().to_string();
    let pid_file = scratch.path().join("bulkhead.pid").display().to_string();
    let arguments =
        ["--config", &file, "--admin", "127.0.0.1:0", "--pid-file", &pid_file, "--workers"];
    let mut gateway = start(&scratch, &[&arguments[..], &["3"]].concat());
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    // In flight across the upgrade: a head that is not complete yet, and a client that waits.
    let mut slow = RawClient::connect(web, PATIENCE);
    slow.send("GET / HTTP/1.1\r\nhost: a\r\n");

    scratch.write("gateway.yaml", config(202));
    let upgraded =
        bulkhead().args(["upgrade", "--admin", &format!("http://{admin}")]).output().unwrap();
    assert!(upgraded.status.success(), "{upgraded:?}");
    let pid = heir(&String::from_utf8_lossy(&upgraded.stdout));
    gateway.inherited_by(pid);
    slow.send("connection: close\r\n\r\n");
    let answer = String::from_utf8(slow.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0), "the old one has drained");
    assert_eq!(
        std::fs::read_to_string(&pid_file).unwrap().trim(),
        pid.as_raw_nonzero().to_string()
    );
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));
    assert!(get(admin, "/readyz").starts_with("HTTP/1.1 200 "));

    // And once more, by signal, from the heir.
    let asked = bulkhead().args(["upgrade", "--pid-file", &pid_file]).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let next = loop {
        let line = gateway.wait_for("serves; this one drains");
        if heir(&line) != pid {
            break heir(&line);
        }
    };
    gateway.inherited_by(next);
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));
    gateway.signal(Signal::TERM);
    gateway.wait_for("draining:");
    gateway.wait_for("drained");
}

#[test]
fn what_does_not_get_ready_changes_nothing() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", config(201)).display().to_string();
    let mut gateway =
        start(&scratch, &["--config", &file, "--admin", "127.0.0.1:0", "--upgrade-timeout", "20s"]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    let mut refused = |expected: &str| {
        let output = bulkhead().args(["upgrade", "--admin", &admin.to_string()]).output().unwrap();
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{reason}");
        assert!(reason.contains(expected), "{reason}");
        gateway.wait_for("upgrade failed, this process goes on");
        assert!(get(web, "/").starts_with("HTTP/1.1 201 "));
        assert!(get(admin, "/readyz").starts_with("HTTP/1.1 200 "));
    };
    // No executable at all, and one that is something else.
    replace(&scratch, Path::new("/nowhere/bulkhead"));
    refused("start `");
    replace(&scratch, Path::new("/bin/false"));
    refused("exit status: 1");
    // The right one, with a configuration that it cannot use.
    replace(&scratch, Path::new(env!("CARGO_BIN_EXE_bulkhead")));
    scratch.write("gateway.yaml", config(99));
    refused("exit status: 2");
    scratch.write("gateway.yaml", config(203));
    gateway.signal(Signal::HUP);
    while !get(web, "/").starts_with("HTTP/1.1 203 ") {}
}
