//! netem as a carrier of faults, on a kernel that has it: whether each fault is there and back, also when
//! the lab is killed, and whether it does to packets what the packet box does. Needs root, and the
//! programs `ip` and `tc`, which are asked what the kernel has. Tells a report in JSON.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench reports by failing and talks"
)]

mod compare;
mod life;
mod site;
mod traffic;

use std::path::PathBuf;

use serde_json::json;

use site::Site;

/// Before the report; other lines are for people.
const REPORT: &str = "netem-report ";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["carry"] => bulkhead_lab::carry().unwrap(),
        ["lab", directory, order] => life::be_lab(PathBuf::from(directory), order),
        // What `cargo bench` passes is nothing to us.
        _ => report(),
    }
}

fn report() {
    let site = Site::new();
    if let Err(refusal) = site.prepare(r#"{"delay": {"direction": "upstream", "base_ms": 1}}"#, 60)
    {
        println!("{REPORT}{}", json!({"skipped": refusal.to_string()}));
        return;
    }
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let checks = life::checks(&site);
    let cases = compare::cases(&site);
    let report = json!({
        "kernel": kernel.trim_end(), "alpha": compare::ALPHA, "packets": compare::PACKETS,
        "checks": checks, "cases": cases,
    });
    println!("{REPORT}{report}");
}
