//! On what a result was measured: without this a figure says nothing.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{output, root};

/// Processor, kernel, memory, commit.
pub(crate) fn describe() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpu
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map(|(_, model)| model.trim())
        .collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kb: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    json!({
        "cpu": models.first(),
        "cores": models.len(),
        "memory_mb": memory_kb / 1024,
        "kernel": text(Command::new("uname").arg("-r")),
        "congestion_control": fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")
            .unwrap_or_default()
            .trim(),
    })
}

/// The commit, with `-dirty` if the tree differs from it.
pub(crate) fn commit() -> String {
    text(Command::new("git").current_dir(root()).args(["describe", "--always", "--dirty"]))
}

/// Today, UTC.
pub(crate) fn date() -> String {
    text(Command::new("date").args(["-u", "+%F"]))
}

/// Cost of the load and scheduling noise: the one-minute load average when the run began.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn text(command: &mut Command) -> String {
    output(command).unwrap_or_default().trim().to_owned()
}
