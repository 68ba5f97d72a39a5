//! What the packet box of a link can move, at what cost, how punctually, and how true to what was
//! asked: tables in Markdown on standard output. Needs the right to make network namespaces; starts
//! itself anew in a user namespace without it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench reports by failing and talks"
)]

mod accuracy;
mod traffic;

use std::process::Command;

use bulkhead_lab::{LinkReport, Namespace};

use traffic::Traffic;

const SECONDS: u64 = 3;
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

const fn case(
    name: &'static str,
    faults: &'static [&'static str],
    packet_bytes: usize,
    per_second: u64,
) -> Case {
    Case { name, faults, packet_bytes, per_second }
}

const CASES: [Case; 7] = [
    case("40 ms", DELAY, 1_500, 1_000),
    case("none", NONE, 1_500, 50_000),
    case("40 ms", DELAY, 1_500, 50_000),
    case("12 % loss, 40 ± 40 ms", STORM, 1_500, 50_000),
    case("12 % loss, 40 ± 40 ms", STORM, 64, 50_000),
    case("12 % loss, 40 ± 40 ms", STORM, 1_500, 100_000),
    case("12 % loss, 40 ± 40 ms", STORM, 64, 150_000),
];

fn main() {
    if std::env::var_os(INSIDE).is_none() && Namespace::new().is_err() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.env(INSIDE, "1");
        bulkhead_transport::start_in_user_namespace(&mut again);
        assert!(again.status().unwrap().success());
        return;
    }
    // All threads of the bench, so that what is measured is the box and not who else uses the machine.
    let real_time = bulkhead_transport::run_in_real_time().is_ok();
    println!(
        "| faults | packet, bytes | asked, 1/s | moved, 1/s | dropped before the box | CPU per packet, µs | share of a core | late P50, µs | late P99, µs | late max, µs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for case in &CASES {
        println!("{}", row(case));
    }
    println!("\n{}", accuracy::table());
    let threads = if real_time { "before" } else { "beside" };
    println!("Threads of the bench ran {threads} ordinary ones.");
}

fn row(case: &Case) -> String {
    let Case { name, faults, packet_bytes, per_second } = *case;
    let packets = (SECONDS * per_second) as usize;
    let traffic = Traffic::send(faults, packets, per_second, packet_bytes);
    let moved = traffic.report.upstream.counts.received as f64;
    let cpu = traffic.cpu.as_secs_f64();
    format!(
        "| {name} | {packet_bytes} | {per_second} | {:.0} | {} | {:.2} | {:.0} % | {} |",
        moved / traffic.seconds,
        traffic.drops,
        cpu * 1e6 / moved,
        100.0 * cpu / traffic.seconds,
        lateness(&traffic.report),
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
