//! Sockets from the service manager, and what it is told.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use bulkhead_testkit::Scratch;
use rustix::process::Signal;

use crate::running::{PATIENCE, Running, get};

/// Starts it as systemd does: the socket is descriptor 3, and the environment says so.
fn activated(socket: &TcpListener, scratch: &Scratch, config: &str, notify: &Path) -> Running {
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$ exec \"$@\" 3<&0 0</dev/null";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_bulkhead"), "run", "--config"]);
    command.arg(scratch.write("gateway.yaml", config));
    command.env("LISTEN_FDNAMES", "web").env("WATCHDOG_USEC", "200000");
    let passed = OwnedFd::from(socket.try_clone().unwrap());
    command.env("NOTIFY_SOCKET", notify).stdin(Stdio::from(passed));
    Running::spawn(&mut command)
}

fn told(socket: &UnixDatagram, expected: &str) -> String {
    let mut bytes = [0; 512];
    loop {
        let length = socket.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.contains(expected) {
            return text;
        }
    }
}

const CONFIG: &str = "listeners:\n  - name: web\n    address: 127.0.0.1:1\nworkers: 3\n\
                      routes:\n  - filters:\n      - direct_response: { status: 201 }\n";

#[test]
fn a_socket_from_systemd_is_served_by_all_workers_and_the_manager_is_told() {
    let scratch = Scratch::new();
    let notify = scratch.path().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    // Bound without SO_REUSEPORT: nobody can add a socket of his own.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let gateway = activated(&socket, &scratch, CONFIG, &notify);
    let ready = told(&manager, "READY=1");
    assert!(ready.contains("STATUS=serving with 3 workers"), "{ready}");
    for _ in 0..20 {
        assert!(get(address, "/").starts_with("HTTP/1.1 201 "));
    }
    told(&manager, "WATCHDOG=1");
    told(&manager, "WATCHDOG=1");
    gateway.signal(Signal::HUP);
    assert!(told(&manager, "RELOADING=1").contains("MONOTONIC_USEC="));
    assert!(told(&manager, "READY=1").contains("revision 2"));
    gateway.signal(Signal::TERM);
    told(&manager, "STOPPING=1");
    let mut gateway = gateway;
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_socket_that_no_listener_wants_is_closed_and_told() {
    let scratch = Scratch::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = CONFIG.replace("web", "other").replace("127.0.0.1:1", "127.0.0.1:0");
    let mut gateway = activated(&socket, &scratch, &config, Path::new("/nowhere"));
    drop(socket);
    gateway.wait_for("no listener is for the passed socket `web`");
    gateway.wait_for("ready:");
    assert!(std::net::TcpStream::connect(address).is_err());
}
