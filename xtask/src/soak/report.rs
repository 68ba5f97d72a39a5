//! What a soak has shown: as a table, as JSON, and as one verdict.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bulkhead_load::ConnectionReport;
use serde::Serialize;

use super::clients::Outcome;
use super::memory::{SLOPE_KIB_MAX, Slope};
use super::settle::Quiet;

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: u64,
    pub(super) requests_per_second: f64,
    pub(super) kinds: Vec<Outcome>,
    /// What was done to the gateway.
    pub(super) chaos: BTreeMap<&'static str, u64>,
    /// What the gateway counted meanwhile.
    pub(super) counters: BTreeMap<&'static str, f64>,
    /// Of the load generator.
    pub(super) connections: ConnectionReport,
    pub(super) before: Quiet,
    pub(super) after: Quiet,
    /// Fewest and most threads meanwhile.
    pub(super) threads: (usize, usize),
    /// Resident memory of each second, KiB.
    pub(super) rss_kib: Vec<u64>,
    pub(super) slope: Option<Slope>,
    /// How many things went wrong, and the first of them.
    pub(super) wrong: u64,
    pub(super) wrongs: Vec<String>,
}

impl Report {
    pub(super) fn print(&self) {
        println!("\n{:<50} {:>9} {:>8} {:>6}", "requests", "ok", "allowed", "wrong");
        for kind in &self.kinds {
            println!("{:<50} {:>9} {:>8} {:>6}", kind.name, kind.ok, kind.allowed, kind.wrong);
        }
        let sum = |of: fn(&Outcome) -> u64| self.kinds.iter().map(of).sum::<u64>();
        let (ok, allowed, wrong) = (sum(|it| it.ok), sum(|it| it.allowed), sum(|it| it.wrong));
        println!("{:<50} {ok:>9} {allowed:>8} {wrong:>6}\n", "all");
        for (what, count) in &self.chaos {
            println!("{what:<50} {count:>9}");
        }
        for (what, count) in &self.counters {
            println!("{what:<50} {count:>9}");
        }
        let connections = &self.connections;
        println!(
            "\nclients' connections: {} opened, {} lost; TLS: {} handshakes, {} resumed",
            connections.opened,
            connections.lost,
            connections.tls_handshakes,
            connections.tls_resumed
        );
        println!("open before: {:?}\nopen after:  {:?}", self.before.open, self.after.open);
        println!(
            "threads before: {:?}\nthreads after:  {:?}\nthreads meanwhile: {} to {}",
            self.before.threads, self.after.threads, self.threads.0, self.threads.1
        );
        self.print_memory();
        println!("seed {}, {} s, {} wrong", self.seed, self.seconds, self.wrong);
        self.wrongs.iter().for_each(|wrong| println!("  {wrong}"));
    }

    fn print_memory(&self) {
        let mb = |kib: Option<&u64>| kib.map_or(0.0, |&kib| kib as f64 / 1024.0);
        println!(
            "resident memory: {:.1} MiB at the end, {:.1} MiB at most",
            mb(self.rss_kib.last()),
            mb(self.rss_kib.iter().max())
        );
        if let Some(slope) = &self.slope {
            println!(
                "its slope over the last {} s: {:.1} ± {:.1} KiB/min (95 %), {}",
                slope.seconds,
                slope.kib_per_minute,
                slope.plus_minus,
                if slope.is_judged() {
                    format!("at most {SLOPE_KIB_MAX} is taken for flat")
                } else {
                    "too short to be judged".to_owned()
                }
            );
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("serialise the result")?;
        fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
    }

    /// Fails unless all is as it should be.
    pub(super) fn verdict(&self) -> Result<()> {
        let mut reasons = Vec::new();
        if self.wrong > 0 {
            reasons.push(format!("{} things went wrong", self.wrong));
        }
        if let Some(slope) = self.slope.as_ref().filter(|slope| slope.grows()) {
            reasons.push(format!("memory grows by {:.0} KiB a minute", slope.kib_per_minute));
        }
        let idle = self.kinds.iter().filter(|kind| kind.ok == 0).map(|kind| &*kind.name);
        let idle: Vec<&str> = idle.collect();
        if !idle.is_empty() {
            reasons.push(format!("nothing was ever answered of: {}", idle.join("; ")));
        }
        for what in
            ["configurations applied", "certificates swapped", "workers killed", "endpoints killed"]
        {
            if !self.chaos.contains_key(what) {
                reasons.push(format!("there were no {what}"));
            }
        }
        if !reasons.is_empty() {
            bail!("the soak failed with seed {}: {}", self.seed, reasons.join(", "));
        }
        Ok(())
    }
}
