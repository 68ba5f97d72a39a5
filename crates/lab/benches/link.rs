//! What the packet box of a link can move, at what cost, and how punctually: a table in Markdown on
//! standard output. Needs the right to make network namespaces; starts itself anew in a user namespace
//! without it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench reports by failing and talks"
)]

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bulkhead_chaos::NetworkFault;
use bulkhead_lab::{Link, LinkOptions, LinkReport, Namespace};

const SECONDS: u64 = 3;
/// Headers of IPv4 and UDP.
const HEADER_BYTES: usize = 28;
const INSIDE: &str = "BULKHEAD_BENCH_IN_USER_NAMESPACE";

const NONE: &[&str] = &[];
const DELAY: &[&str] = &[r#"{"delay": {"direction": "upstream", "base_ms": 40}}"#];
const STORM: &[&str] = &[
    r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#,
    r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
        "distribution": "uniform", "reorder": "allow"}}"#,
];

struct Case {
    name: &'static str,
    faults: &'static [&'static str],
    packet_bytes: usize,
    per_second: u64,
}

const CASES: [Case; 7] = [
    Case { name: "40 ms", faults: DELAY, packet_bytes: 1_500, per_second: 1_000 },
    Case { name: "no fault", faults: NONE, packet_bytes: 1_500, per_second: 50_000 },
    Case { name: "40 ms", faults: DELAY, packet_bytes: 1_500, per_second: 50_000 },
    Case { name: "12 % loss, 40 ± 40 ms", faults: STORM, packet_bytes: 1_500, per_second: 50_000 },
    Case { name: "12 % loss, 40 ± 40 ms", faults: STORM, packet_bytes: 64, per_second: 50_000 },
    Case {
        name: "12 % loss, 40 ± 40 ms", faults: STORM, packet_bytes: 1_500, per_second: 100_000
    },
    Case { name: "12 % loss, 40 ± 40 ms", faults: STORM, packet_bytes: 64, per_second: 150_000 },
];

fn main() {
    if std::env::var_os(INSIDE).is_none() && Namespace::new().is_err() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.env(INSIDE, "1");
        bulkhead_transport::start_in_user_namespace(&mut again);
        assert!(again.status().unwrap().success());
        return;
    }
    println!(
        "| fault | packet, bytes | asked, 1/s | moved, 1/s | dropped before the box | CPU per packet, µs | of a core | late P50, µs | late P99, µs | late max, µs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for case in &CASES {
        println!("{}", row(case));
    }
}

fn row(case: &Case) -> String {
    let namespaces = [(); 2].map(|()| Arc::new(Namespace::new().unwrap()));
    let options = LinkOptions::default();
    let link = Link::between("bench", &namespaces[0], &namespaces[1], &options).unwrap();
    let until = Instant::now() + Duration::from_secs(600);
    for (key, json) in case.faults.iter().enumerate() {
        let fault: NetworkFault = serde_json::from_str(json).unwrap();
        link.impose(key as u128, &fault, 7, until, until).unwrap();
    }
    let before = link.report(until).unwrap();
    let began = Instant::now();
    send(&link, case);
    let seconds = began.elapsed().as_secs_f64();
    let after = link.report(until).unwrap();
    let moved = after.upstream.counts.received - before.upstream.counts.received;
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    let drops = link.device_drops().unwrap()[0];
    format!(
        "| {} | {} | {} | {:.0} | {} | {:.2} | {:.0} % | {} |",
        case.name,
        case.packet_bytes,
        case.per_second,
        moved as f64 / seconds,
        drops,
        cpu * 1e6 / moved as f64,
        100.0 * cpu / seconds,
        lateness(&after),
    )
}

fn lateness(report: &LinkReport) -> String {
    let lateness = &report.lateness;
    if lateness.is_empty() {
        return "– | – | –".to_owned();
    }
    let micros = |nanos: u64| nanos as f64 / 1e3;
    format!(
        "{:.0} | {:.0} | {:.0}",
        micros(lateness.value_at_quantile(0.5)),
        micros(lateness.value_at_quantile(0.99)),
        micros(lateness.max())
    )
}

/// Sends at an even rate through the link, and takes what arrives.
fn send(link: &Link, case: &Case) {
    let socket = |end: &bulkhead_lab::End| {
        end.namespace.enter(|| UdpSocket::bind((end.v4, 0))).unwrap().unwrap()
    };
    let (from, to) = (socket(link.client()), socket(link.server()));
    from.connect(to.local_addr().unwrap()).unwrap();
    to.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut bytes = [0; 2_048];
            while !over.load(Ordering::Relaxed) {
                // A time-out only lets it look whether all is over.
                let _ = to.recv(&mut bytes);
            }
        });
        let payload = vec![0; case.packet_bytes - HEADER_BYTES];
        let began = Instant::now();
        let mut sent = 0;
        while began.elapsed().as_secs() < SECONDS {
            let due = (began.elapsed().as_secs_f64() * case.per_second as f64) as u64;
            while sent < due {
                from.send(&payload).unwrap();
                sent += 1;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        over.store(true, Ordering::Relaxed);
    });
}
