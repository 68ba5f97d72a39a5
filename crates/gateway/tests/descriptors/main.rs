//! Descriptors are counted in a process of their own, where no other test opens any.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the other test binary, which uses all of it")]
mod support;

use bulkhead_config::model::Protocol;

use support::{PATIENCE, client, config, feed, origin, read_response, start};

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fd").count()
}

#[test]
fn kills_and_their_gateway_leave_no_descriptor_open() {
    let origin = origin();
    let before = open_descriptors();
    let gateway = start(config(origin.addr(), Protocol::Http2, 2));
    let mut client = client(&gateway);
    let mut round = |user: u64| {
        gateway.kill_worker(user as usize % 2).expect("kill a worker");
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut client).1, feed(user));
    };
    (0..4).for_each(&mut round);
    let early = open_descriptors();
    (0..60).for_each(&mut round);
    let late = open_descriptors();
    // A dead worker's thread may be about to give back its last: two kills' worth.
    assert!(late <= early + 12, "{early} after 4 kills, {late} after 64");
    drop(client);
    gateway.shutdown();
    // The origin's thread closes its ends when it sees that ours are closed.
    let started = std::time::Instant::now();
    while open_descriptors() > before && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert!(open_descriptors() <= before, "{before} before, {} after", open_descriptors());
}
