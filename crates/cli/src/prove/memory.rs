//! What the kernel says about this process and this machine.

use std::fs;

use serde::Serialize;

/// Resident memory of this process in bytes; 0 where the kernel does not tell.
pub(crate) fn rss_bytes() -> u64 {
    fs::read_to_string("/proc/self/status").map_or(0, |status| parse_rss(&status))
}

/// That of another process.
pub(crate) fn rss_bytes_of(process: u32) -> u64 {
    fs::read_to_string(format!("/proc/{process}/status")).map_or(0, |status| parse_rss(&status))
}

/// Processes that a process has started and that have not been buried, by number.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut children: Vec<u32> = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            parse_parent(&stat) == Some(parent)
        })
        .collect();
    children.sort_unstable();
    children
}

/// The fourth field; the second is a name in brackets that may hold anything. `None` for the dead.
fn parse_parent(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let alive = fields.next() != Some("Z");
    let parent = fields.next()?.parse().ok()?;
    alive.then_some(parent)
}

fn parse_rss(status: &str) -> u64 {
    field(status, "VmRSS:")
        .and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1_024)
}

/// Processes killed for lack of memory in this control group since it was made (`oom_kill`). Where the
/// kernel counts them for the whole machine alone, others' would be among them: this process, which is
/// all of the run, is then told by its being there. `None`: the count cannot be read.
pub(crate) fn oom_kills() -> Option<u64> {
    match fs::read_to_string("/sys/fs/cgroup/memory.events") {
        Ok(text) => parse_oom_kills(&text),
        Err(_) => Some(0),
    }
}

fn parse_oom_kills(text: &str) -> Option<u64> {
    field(text, "oom_kill ").and_then(|count| count.parse().ok())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Where the run was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Environment {
    pub(crate) version: &'static str,
    pub(crate) commit: &'static str,
    pub(crate) build: &'static str,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) architecture: &'static str,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu_info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, model)| model.trim());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = field(&memory, "MemTotal:")
            .and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("BULKHEAD_COMMIT").unwrap_or("unknown"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            cpu: cpu.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: memory.unwrap_or(0) * 1_024,
            kernel: kernel.trim().to_owned(),
            architecture: std::env::consts::ARCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_oom_kills, parse_parent, parse_rss, rss_bytes};

    #[test]
    fn the_kernel_s_formats_are_read() {
        assert_eq!(
            parse_rss("VmPeak:\t  99 kB\nVmRSS:\t    1234 kB\nRssAnon:\t 5 kB\n"),
            1_263_616
        );
        assert_eq!(parse_rss(""), 0);
        assert_eq!(parse_parent("7 (a) b) S 42 7 7 0"), Some(42));
        assert_eq!(parse_parent("7 (gone) Z 42 7 7 0"), None);
        assert_eq!(parse_oom_kills("low 0\noom 7\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(parse_oom_kills("pgfault 1\noom_kill 12\n"), Some(12));
        assert_eq!(parse_oom_kills("low 0\n"), None);
        assert!(rss_bytes() > 100_000);
    }
}
