//! More connections than a mailbox has room for messages, and their workers die. In a process of its
//! own: it needs nearly all the descriptors that a process may have.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the other test binary, which uses all of it")]
mod support;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;
use bulkhead_testkit::RawClient;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use support::{PATIENCE, address, config, origin, read_response, start};

/// More than two mailboxes hold.
const CONNECTIONS: usize = 9_000;
/// Each connection has both its ends in this process; the rest is for everything else.
const DESCRIPTORS: u64 = 2 * CONNECTIONS as u64 + 500;

/// One crowd at a time: there are not descriptors for two.
static CROWD: Mutex<()> = Mutex::new(());

/// Raises the limit of open files as far as it goes. False: that is not enough.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn enough_descriptors() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let enough = raised.is_ok() && limit.maximum.is_none_or(|maximum| maximum >= DESCRIPTORS);
    if !enough {
        eprintln!(
            "skipped: needs {DESCRIPTORS} open files, the hard limit is {:?} (`ulimit -Hn`)",
            limit.maximum
        );
    }
    enough
}

/// A request that the gateway answers by itself.
fn ask(client: &mut RawClient) {
    client.send("GET / HTTP/1.1\r\nhost: nowhere\r\n\r\n");
    assert!(read_response(client).0.starts_with("HTTP/1.1 404"));
}

/// Everyone sends before anyone reads: so they wait for the slowest, not each for the one before.
fn ask_all(clients: &mut [RawClient]) {
    for client in &mut *clients {
        client.send("GET / HTTP/1.1\r\nhost: nowhere\r\n\r\n");
    }
    for client in clients {
        assert!(read_response(client).0.starts_with("HTTP/1.1 404"));
    }
}

fn open_connections(gateway: &Gateway) -> u64 {
    gateway.registry().totals().connections_active()
}

fn survive(workers: usize, kills: &[usize]) {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    if !enough_descriptors() {
        return;
    }
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, workers);
    config.routes.clear();
    let gateway = start(config);
    let mut clients: Vec<RawClient> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = RawClient::connect(address(&gateway), 6 * PATIENCE);
            ask(&mut client);
            client
        })
        .collect();
    assert_eq!(open_connections(&gateway), CONNECTIONS as u64);
    let mut moved = 0;
    for &worker in kills {
        let report = gateway.kill_worker(worker).expect("kill a worker");
        assert_eq!(report.connections_lost, 0);
        moved += report.connections_moved;
    }
    assert!(moved >= CONNECTIONS, "{moved} moved");
    ask_all(&mut clients);
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    assert_eq!(open_connections(&gateway), CONNECTIONS as u64);
    drop(clients);
    let started = Instant::now();
    while open_connections(&gateway) > 0 && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert_eq!(open_connections(&gateway), 0, "each end is counted once");
}

#[test]
fn the_successor_of_the_only_worker_takes_nine_thousand_connections() {
    survive(1, &[0]);
}

#[test]
fn nine_thousand_connections_move_to_the_sibling_and_back() {
    survive(2, &[0, 1, 0]);
}
