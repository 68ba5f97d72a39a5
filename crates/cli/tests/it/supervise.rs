//! The supervisor: what waits at the sockets outlives the process that serves.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use bulkhead_testkit::Scratch;
use rustix::process::{Pid, Signal, kill_process};

use crate::running::{PATIENCE, Running, address, get};

const CONFIG: &str = "listeners:\n  - address: 127.0.0.1:0\nworkers: 2\n\
                      routes:\n  - filters:\n      - direct_response: { status: 201 }\n";

fn serving(line: &str) -> Pid {
    let pid = line.split("process ").nth(1).unwrap().split(' ').next().unwrap();
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

/// Stops a process, all its threads.
fn stop(pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    let is_stopped = |task: &std::path::Path| {
        let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    };
    while !std::fs::read_dir(&tasks).unwrap().all(|task| is_stopped(&task.unwrap().path())) {
        std::thread::yield_now();
    }
}

#[test]
fn connections_that_wait_are_answered_by_the_next_process() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", CONFIG).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--supervise"]);
    let web = address(&gateway.wait_for("ready:"), "on ");
    let mut serving_now = serving(&gateway.wait_for("supervisor: process"));
    for _ in 0..3 {
        // Nobody accepts: the kernel connects them, and they wait.
        stop(serving_now);
        let mut waiting: Vec<TcpStream> = (0..40)
            .map(|_| {
                let mut client = TcpStream::connect(web).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
                client
            })
            .collect();
        kill_process(serving_now, Signal::KILL).unwrap();
        gateway.wait_for("died (signal: 9");
        for client in &mut waiting {
            let mut line = String::new();
            BufReader::new(client).read_line(&mut line).unwrap();
            assert!(line.starts_with("HTTP/1.1 201 "), "{line}");
        }
        let next = serving(&gateway.wait_for("supervisor: process"));
        assert_ne!(next, serving_now);
        serving_now = next;
    }
    gateway.signal(Signal::TERM);
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_supervisor_changes_the_process_and_passes_signals_on() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", CONFIG).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--supervise", "--admin", "127.0.0.1:0"]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    let first = serving(&gateway.wait_for("supervisor: process"));
    scratch.write("gateway.yaml", CONFIG.replace("201", "202"));
    gateway.signal(Signal::HUP);
    gateway.wait_for("applied as revision 2");
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));

    let asked =
        crate::bulkhead().args(["upgrade", "--admin", &admin.to_string()]).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let second = serving(&gateway.wait_for("supervisor: process"));
    assert_ne!(first, second);
    gateway.wait_for("drained");
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));

    // A new process that cannot start changes nothing.
    scratch.write("gateway.yaml", CONFIG.replace("201", "99"));
    gateway.signal(Signal::USR2);
    gateway.wait_for("upgrade failed, nothing changes");
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));
    gateway.signal(Signal::INT);
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_never_served_is_not_tried_again() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", CONFIG.replace("201", "99")).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--supervise"]);
    gateway.wait_for("the configuration cannot be used");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_crash_loop_slows_down_and_can_be_stopped() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", CONFIG).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--supervise"]);
    for wait_ms in ["0 ms", "100 ms", "200 ms", "400 ms", "800 ms", "1600 ms"] {
        let now = serving(&gateway.wait_for("supervisor: process"));
        kill_process(now, Signal::KILL).unwrap();
        assert!(gateway.wait_for("died").contains(&format!("another in {wait_ms}")), "{wait_ms}");
    }
    // While it waits.
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

/// Clients come all the time while the process that serves is killed: none is refused, and whoever had
/// to wait is answered.
#[test]
fn nobody_is_refused_while_a_process_is_replaced() {
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", CONFIG).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--supervise"]);
    let web = address(&gateway.wait_for("ready:"), "on ");
    let mut now = serving(&gateway.wait_for("supervisor: process"));
    let done = AtomicBool::new(false);
    let (answered, cut) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut answered, mut cut) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        let mut client = TcpStream::connect(web).expect("nobody is refused");
                        client.set_read_timeout(Some(PATIENCE)).unwrap();
                        let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
                        let mut line = String::new();
                        let asked = client.write_all(request);
                        let read = BufReader::new(client).read_line(&mut line);
                        match asked.is_ok() && read.is_ok() && line.starts_with("HTTP/1.1 201 ") {
                            true => answered += 1,
                            false => cut += 1,
                        }
                    }
                    (answered, cut)
                })
            })
            .collect();
        for _ in 0..2 {
            kill_process(now, Signal::KILL).unwrap();
            gateway.wait_for("died");
            now = serving(&gateway.wait_for("supervisor: process"));
        }
        done.store(true, Ordering::Relaxed);
        let counts = clients.into_iter().map(|client| client.join().unwrap());
        counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    });
    assert!(answered > 0);
    // Those that the killed process had accepted: at most one of each client at each kill.
    assert!(cut <= 8, "{cut} of {answered}");
    gateway.signal(Signal::TERM);
    gateway.wait_for("drained");
}
