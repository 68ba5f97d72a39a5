//! Facts about the process, read from `/proc` when metrics are asked for. Missing ones are left out.

use std::fs;

/// What `/proc/self` tells. `None`: not readable on this system.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessFacts {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_max: Option<u64>,
}

impl ProcessFacts {
    pub(crate) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let schedule = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(&schedule),
            resident_bytes: field(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024),
            virtual_bytes: field(&status, "VmSize:").map(|kilobytes| kilobytes * 1024),
            threads: field(&status, "Threads:"),
            // Counting opens the directory itself, which must not be counted.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            open_files_max: field(&limits, "Max open files"),
        }
    }
}

/// Resident memory of this process, in bytes; some ten microseconds. `None`: not readable here.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024)
}

/// The first number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// User and system time from `/proc/self/stat`: fields 14 and 15, in hundredths of a second
/// (`USER_HZ` is 100 on every Linux that Rust runs on). The command's name may hold anything, so
/// counting begins after its closing bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

#[cfg(test)]
mod tests;
