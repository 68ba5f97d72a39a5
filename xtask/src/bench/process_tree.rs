//! What a process and all that it started have used, from `/proc`. It only looks.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result};

/// Resident memory of one process, MB. Pages that processes share count in each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ResidentMemory {
    pub(crate) now_mb: f64,
    /// Highest so far.
    pub(crate) peak_mb: f64,
}

/// Reads it of a process that runs; one that has ended has none.
pub(crate) fn resident_memory(id: u32) -> Result<ResidentMemory> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("read its status")?;
    let megabytes = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Ok(number.with_context(|| format!("read {name}"))? as f64 / 1024.0)
    };
    Ok(ResidentMemory { now_mb: megabytes("VmRSS:")?, peak_mb: megabytes("VmHWM:")? })
}

/// Memory of one process now, KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) resident_kib: f64,
    /// Each page divided by the number of processes that have it.
    pub(crate) proportional_kib: f64,
}

/// Reads it of a process that runs.
pub(crate) fn memory(id: u32) -> Result<Memory> {
    let path = format!("/proc/{id}/smaps_rollup");
    Memory::parse(&fs::read_to_string(path).context("read its memory")?).context("read its memory")
}

impl Memory {
    fn parse(text: &str) -> Option<Self> {
        let kib = |name: &str| -> Option<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self { resident_kib: kib("Rss:")?, proportional_kib: kib("Pss:")? })
    }
}

/// The process `root` and its descendants, parents before children.
pub(crate) fn process_tree(root: u32) -> Result<Vec<ProcessStat>> {
    let mut all: HashMap<u32, ProcessStat> = HashMap::new();
    for entry in fs::read_dir("/proc").context("list /proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while we look.
        let Ok(text) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        if let Some(stat) = ProcessStat::parse(id, &text) {
            all.insert(id, stat);
        }
    }
    let mut tree = vec![all.remove(&root).context("find the process in /proc")?];
    let mut index = 0;
    while index < tree.len() {
        let parent = tree[index].id;
        let children: Vec<u32> =
            all.values().filter(|stat| stat.parent == parent).map(|stat| stat.id).collect();
        tree.extend(children.into_iter().filter_map(|id| all.remove(&id)));
        index += 1;
    }
    Ok(tree)
}

/// What is needed of `/proc/ID/stat`.
#[derive(Debug, PartialEq)]
pub(crate) struct ProcessStat {
    pub(crate) id: u32,
    parent: u32,
    /// User and system time.
    pub(crate) ticks: u64,
}

impl ProcessStat {
    fn parse(id: u32, text: &str) -> Option<Self> {
        // The program's name stands in parentheses and may hold anything, spaces included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let user: u64 = fields.get(11)?.parse().ok()?;
        let system: u64 = fields.get(12)?.parse().ok()?;
        Some(Self { id, parent: fields.get(1)?.parse().ok()?, ticks: user + system })
    }
}

#[cfg(test)]
mod tests;
