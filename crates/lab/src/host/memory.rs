//! `host.memory`: memory that is allocated and touched. Seen by the resident size of its process.

use std::fs;
use std::io;
use std::path::PathBuf;

use bulkhead_chaos::{Amount, Target};
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::task::{Kept, Look, Work};
use crate::{Evidence, Refusal};

/// Bytes that are allocated at a time.
const CHUNK_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    bytes: u64,
    pub(super) join: Option<PathBuf>,
}

impl Memory {
    pub(super) fn prepare(amount: Amount, target: &Target) -> Result<(Self, String), Refusal> {
        let (group, note) = cgroup::to_join(target, "memory")?;
        let bytes = match amount {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => {
                let host = total().map_err(|error| {
                    Refusal::new(format!("/proc/meminfo: {error}"), "give the amount in bytes")
                })?;
                let limit = group.as_ref().and_then(|group| group.memory_limit().ok());
                let all = limit.map_or(host, |limit| limit.min(host));
                (all as f64 * percent / 100.0) as u64
            }
        };
        let join = group.map(|group| group.processes());
        Ok((Self { bytes, join }, format!("{bytes} bytes; {note}")))
    }

    pub(super) fn look(&self, pid: u32) -> Look<'_> {
        Box::new(move || {
            let path = format!("/proc/{pid}/status");
            let resident = kibibytes(&path, "VmRSS:").unwrap_or_default() * 1024;
            let seen = format!("process {pid} has {resident} bytes in memory{}", pressure());
            Evidence { holds: resident >= self.bytes, seen }
        })
    }
}

fn total() -> io::Result<u64> {
    Ok(kibibytes("/proc/meminfo", "MemTotal:")? * 1024)
}

fn kibibytes(path: &str, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Share of the last ten seconds in which something waited for memory, where the kernel tells.
fn pressure() -> String {
    let text = fs::read_to_string("/proc/pressure/memory").unwrap_or_default();
    let some = text.split_ascii_whitespace().find_map(|word| word.strip_prefix("avg10="));
    some.map_or_else(String::new, |percent| format!(", pressure {percent} %"))
}

impl Work for Memory {
    fn begin(&self) -> io::Result<Kept> {
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        let mut left = self.bytes;
        while left > 0 {
            let bytes = left.min(CHUNK_BYTES);
            let size = usize::try_from(bytes).map_err(io::Error::other)?;
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(size).map_err(io::Error::other)?;
            // Not zero, so that each page is written, and nothing can be shared or squeezed away.
            chunk.resize(size, 0xa5);
            chunks.push(chunk);
            left -= bytes;
        }
        Ok(Kept::Memory(chunks))
    }
}
