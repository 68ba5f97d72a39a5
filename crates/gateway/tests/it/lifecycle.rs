//! The pool of workers changes its size, connections are spread anew, and one gateway goes on with the
//! sockets of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bulkhead_config::model::{Protocol, WorkerAffinity};
use bulkhead_gateway::{Gateway, GatewayOptions, HandedSocket, ResizeError};
use bulkhead_testkit::{RawClient, Scratch};
use bulkhead_transport::Listener;

use crate::support::{
    PATIENCE, address, client, config, feed, frame, origin, read_response, start, value,
};

/// Waits for something that must come.
#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + 3 * PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// Clients that ask all the time while `work` is done; gives how many answers there were.
fn under_load(gateway: &Gateway, work: impl FnOnce()) -> u64 {
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for user in 0..6u64 {
            let (done, answered) = (&done, &answered);
            scope.spawn(move || {
                let mut client = client(gateway);
                while !done.load(Ordering::Relaxed) {
                    client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
                    assert_eq!(read_response(&mut client).1, feed(user));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        work();
        done.store(true, Ordering::Relaxed);
    });
    answered.load(Ordering::Relaxed)
}

#[test]
fn requests_do_not_notice_how_many_workers_there_are() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let gateway = start(config(origin.addr(), protocol, 1));
        let answered = under_load(&gateway, || {
            for (before, workers) in [(1, 4), (4, 2), (2, 7), (7, 1), (1, 3), (3, 3)] {
                assert_eq!(gateway.resize(workers).expect("resize"), before);
                assert_eq!(gateway.workers().len(), workers);
                // New clients find all who are left.
                for user in 0..8 {
                    let mut client = client(&gateway);
                    client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
                    assert_eq!(read_response(&mut client).1, feed(user));
                }
            }
        });
        assert!(answered > 0);
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
        assert_eq!(gateway.evacuation_totals().killed, 0);
        let metrics = gateway.registry().render();
        assert_eq!(value(&metrics, "bulkhead_workers_retired_total"), Some(2.0 + 6.0));
        assert!(matches!(gateway.resize(0), Err(ResizeError::OutOfRange)));
    }
}

#[test]
fn requests_in_flight_go_on_when_their_worker_retires() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 4));
    let mut clients: Vec<RawClient> = (0..24).map(|_| client(&gateway)).collect();
    for client in &mut clients {
        client.send("GET /delay/400 HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    gateway.resize(1).expect("resize");
    for client in &mut clients {
        assert!(read_response(client).0.starts_with("HTTP/1.1 200 "));
        client.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(client).1, feed(3));
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}

#[test]
fn a_reload_resizes_the_pool_only_if_the_file_says_another_number() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 2));
    let workers = || gateway.workers().len();
    gateway.resize(3).expect("resize");
    gateway.apply(config(origin.addr(), Protocol::Http1, 2)).expect("apply");
    assert_eq!(workers(), 3, "the file says what it said before");
    gateway.apply(config(origin.addr(), Protocol::Http1, 1)).expect("apply");
    assert_eq!(workers(), 1);
    gateway.apply(config(origin.addr(), Protocol::Http1, 4)).expect("apply");
    assert_eq!(workers(), 4);
    assert!(gateway.kill_worker(3).is_ok());
}

#[test]
fn connections_that_gathered_at_one_worker_spread_again() {
    let origin = origin();
    let mut uneven = config(origin.addr(), Protocol::Http2, 1);
    uneven.rebalance = true;
    let gateway = start(uneven);
    // Long-lived ones, of both protocols, on which nothing is under way.
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    let mut http2: Vec<RawClient> = (0..40).map(|_| client(&gateway)).collect();
    for client in &mut http2 {
        client.send(&preface);
        client.send(frame(6, 0, 0, b"before.."));
        client.read_until(b"before..");
    }
    let mut http1: Vec<RawClient> = (0..40).map(|_| client(&gateway)).collect();
    for client in &mut http1 {
        client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(client).1, feed(1));
    }
    gateway.resize(2).expect("resize");
    until("spread", || gateway.workers().iter().all(|worker| worker.connections >= 30));
    for client in &mut http2 {
        client.send(frame(6, 0, 0, b"after..."));
        client.read_until(b"after...");
    }
    for client in &mut http1 {
        client.send("GET /api/v1/2/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(client).1, feed(2));
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}

#[test]
fn kills_while_the_pool_changes_cost_nothing() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 3));
    under_load(&gateway, || {
        for round in 0..12 {
            std::thread::scope(|scope| {
                // Whichever comes first: the worker may have left, or may be leaving.
                scope.spawn(|| {
                    let _ = gateway.kill_worker(round % 4);
                });
                gateway.resize([1, 4, 2, 3][round % 4]).expect("resize");
            });
        }
    });
    assert_eq!(gateway.workers().len(), 3);
    until("all alive", || gateway.workers().iter().all(|worker| worker.alive));
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}

/// What the kernel says of this process's threads of a name, but for those of other tests.
fn allowed_cpus(thread: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("tasks").flatten();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    tasks
        .filter(|task| read(task.path().join("comm")).trim() == thread)
        .filter_map(|task| {
            let status = read(task.path().join("status"));
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
            Some(line.trim().to_owned())
        })
        .collect()
}

#[test]
fn workers_are_pinned_where_they_are_told_to() {
    let origin = origin();
    let mask = rustix::thread::sched_getaffinity(None).expect("a mask");
    let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| mask.is_set(*cpu)).expect("a CPU");
    let mut pinned = config(origin.addr(), Protocol::Http1, 1);
    pinned.workers = None;
    pinned.worker_affinity = WorkerAffinity::Cpus(vec![cpu]);
    let gateway = start(pinned.clone());
    assert_eq!(gateway.workers().len(), 1, "as many as CPUs are listed");
    // Also one that comes later, with a number that no other test has.
    gateway.resize(23).expect("resize");
    until("pinned", || allowed_cpus("worker-22") == [cpu.to_string()]);
    pinned.worker_affinity = WorkerAffinity::Cpus(vec![1_023]);
    let refused = Gateway::start(pinned, GatewayOptions::default()).expect_err("no such CPU");
    assert!(refused.to_string().contains("CPU 1023"), "{refused}");
}

/// A gateway in place of another one.
fn heir(old: &Gateway, upstream: std::net::SocketAddr, workers: usize) -> Gateway {
    let options = GatewayOptions {
        sockets: old.hand_over(),
        ticketer: Some(old.ticketer()),
        held: true,
        ..GatewayOptions::default()
    };
    Gateway::start(config(upstream, Protocol::Http1, workers), options).expect("start the heir")
}

#[test]
fn who_waits_at_the_sockets_is_served_by_whoever_has_them() {
    let origin = origin();
    let mut gateway = start(config(origin.addr(), Protocol::Http1, 3));
    let web = address(&gateway);
    // Fewer, more, and as many workers as there are sockets.
    for workers in [1, 5, 5, 2] {
        let new = heir(&gateway, origin.addr(), workers);
        assert!(new.unclaimed().is_empty());
        assert_eq!(address(&new), web);
        // In the middle of a head when the old one ends.
        let mut slow = client(&gateway);
        slow.send("GET /api/v1/9/feed HTTP/1.1\r\nhost: a\r\n");
        until("the head has begun", || {
            gateway.workers().iter().map(|worker| worker.connections).sum::<usize>() > 0
        });
        // Not one accepts from here on: all of these wait.
        std::thread::scope(|scope| {
            let drained = scope.spawn(|| gateway.drain_handed_over(PATIENCE));
            let mut waiting: Vec<RawClient> = (0..30).map(|_| client(&new)).collect();
            for client in &mut waiting {
                client.send("GET /api/v1/4/feed HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            }
            new.accept();
            for client in &mut waiting {
                assert_eq!(read_response(client).1, feed(4));
            }
            slow.send("\r\n");
            assert_eq!(read_response(&mut slow).1, feed(9));
            assert!(drained.join().expect("drain"));
        });
        gateway = new;
    }
}

#[test]
fn sockets_of_listeners_that_are_gone_are_closed() {
    let origin = origin();
    let old = start(config(origin.addr(), Protocol::Http1, 2));
    let mut other = config(origin.addr(), Protocol::Http1, 1);
    other.listeners[0].name = "other".to_owned();
    let options = GatewayOptions { sockets: old.hand_over(), ..GatewayOptions::default() };
    let new = Gateway::start(other, options).expect("start");
    assert_eq!(new.unclaimed(), ["main", "main"]);
    assert_ne!(address(&new), address(&old));
}

#[test]
fn the_file_of_a_unix_socket_stays_with_whoever_listens() {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    let (origin, scratch) = (origin(), Scratch::new());
    let path = scratch.write("web.sock", "");
    std::fs::remove_file(&path).expect("a free name");
    let mut config = config(origin.addr(), Protocol::Http1, 2);
    config.listeners[0].address = format!("unix:{}", path.display()).parse().expect("an address");
    let ask = || {
        let mut socket = UnixStream::connect(&path).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let request = b"GET /api/v1/5/feed HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        std::io::Write::write_all(&mut socket, request).expect("send");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut socket, &mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    let old = start(config.clone());
    // Another process has a descriptor of its own. The one socket is shared by all workers.
    let own = |handed: HandedSocket| {
        let descriptor = handed.socket.as_fd().try_clone_to_owned().expect("a descriptor");
        let socket = Arc::new(Listener::adopt(descriptor).expect("adopt"));
        HandedSocket { socket, ..handed }
    };
    let sockets: Vec<_> = old.hand_over().into_iter().map(own).collect();
    assert_eq!(sockets.len(), 1);
    let options = GatewayOptions { sockets, ..GatewayOptions::default() };
    let new = Gateway::start(config, options).expect("start the heir");
    assert!(new.unclaimed().is_empty());
    assert!(old.drain_handed_over(PATIENCE));
    drop(old);
    ask();
    new.resize(4).expect("grow");
    ask();
    new.resize(1).expect("shrink");
    (0..8).for_each(|_| ask());
}
