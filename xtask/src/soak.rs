//! `cargo xtask soak`: the gateway under mixed load, for as long as one likes, while everything around
//! it changes: its configuration is rewritten every second, certificates are swapped, endpoints die and
//! come back, workers are killed. What must come out: no wrong answer, no failed request but of those
//! that nobody could save, nothing left open, and flat memory.
//!
//! Everything random is drawn from the seed; the choices are written to `choices.log`. Nothing is held
//! against a clock, except that whatever must come has two minutes.

mod certificates;
mod chaos;
mod clients;
mod configuration;
mod endpoints;
mod generator;
mod memory;
mod options;
mod report;
mod settle;
mod site;
mod sockets;
mod storm;
mod wire;
mod workload;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use bulkhead_load::Load;

use crate::bench::resident_memory;
use crate::command::target_directory;
use crate::gateway::{self, Guard};
use certificates::Certificates;
use clients::{Habit, Outcome};
use configuration::Variant;
use endpoints::Origin;
use memory::Slope;
use options::Options;
use report::Report;
use settle::Quiet;
use site::Site;
use storm::Storm;

/// Seconds between two lines of progress.
const PROGRESS_SECONDS: usize = 10;
/// What the gateway counts and the report repeats.
const COUNTERS: [&str; 5] = [
    "bulkhead_retries_total",
    "bulkhead_retries_refused_total",
    "bulkhead_ejections_total",
    "bulkhead_worker_evacuated_in_total",
    "bulkhead_configs_applied_total",
];

/// Soaks, prints, and fails if anything was wrong.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let directory = target_directory().join("soak");
    fs::create_dir_all(&directory).context("create the scratch directory")?;
    let built = options.binary.clone().map_or_else(gateway::build_release, Ok)?;
    let bulkhead = snapshot_of(&built, &directory)?;
    let seconds = options.duration.as_secs();
    println!("soak: {seconds} s with seed {}; logs in {}", options.seed, directory.display());
    let ports = site::ports(options.seed)?;
    let start = |port: &u16| Origin::start(&bulkhead, &directory, *port);
    let mut flock = ports.flock.iter().map(start).collect::<Result<Vec<_>>>()?;
    let _steady = ports.steady.iter().map(start).collect::<Result<Vec<_>>>()?;
    let certificates = Certificates::new();
    fs::write(directory.join("server.pem"), &certificates.leaf(0).chain_pem)?;
    fs::write(directory.join("server.key"), &certificates.leaf(0).key_pem)?;
    let (site, mut guard) = Site::start(&bulkhead, &directory, ports)?;
    let storm = Storm::new(&directory.join("choices.log"))?;
    let soak = Soak { options: &options, site: &site, storm: &storm, certificates: &certificates };
    let report = soak.run(&mut flock, &mut guard)?;
    report.print();
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    report.verdict()
}

/// A copy of the binary: a build meanwhile must not change what comes back.
fn snapshot_of(bulkhead: &Path, directory: &Path) -> Result<PathBuf> {
    let copy = directory.join("bulkhead");
    // A file that runs cannot be written to, but it can be replaced.
    let _absent = fs::remove_file(&copy);
    fs::copy(bulkhead, &copy).context("copy the binary")?;
    Ok(copy)
}

/// A run.
struct Soak<'a> {
    options: &'a Options,
    site: &'a Site,
    storm: &'a Storm,
    certificates: &'a Certificates,
}

/// Those that end when the storm stops.
struct Threads<'s> {
    swaps: ScopedJoinHandle<'s, ()>,
    kills: ScopedJoinHandle<'s, ()>,
    reloads: ScopedJoinHandle<'s, u64>,
    clients: [ScopedJoinHandle<'s, Outcome>; Habit::ALL.len()],
}

impl Threads<'_> {
    fn join(self) -> Result<Ends> {
        let panicked = |_| anyhow!("a thread of the soak has panicked");
        self.swaps.join().map_err(panicked)?;
        self.kills.join().map_err(panicked)?;
        let variant = self.reloads.join().map_err(panicked)?;
        let kinds = self.clients.into_iter().map(|client| client.join().map_err(panicked));
        Ok(Ends { kinds: kinds.collect::<Result<_>>()?, variant })
    }
}

/// What the threads came back with.
struct Ends {
    kinds: Vec<Outcome>,
    /// Number of the last configuration.
    variant: u64,
}

impl Soak<'_> {
    fn run(&self, flock: &mut [Origin], guard: &mut Guard) -> Result<Report> {
        let before = settle::before(self.site)?;
        let load = generator::start(self.options, &self.site.ports, self.certificates)?;
        thread::scope(|scope| {
            let threads = self.begin(scope, flock);
            let watched = self.watch(load, guard);
            self.storm.stop();
            let ends = threads.join();
            let report = watched.and_then(|watched| self.finish(before, watched, ends?));
            self.storm.end();
            report
        })
    }

    /// Starts all that happens at the same time.
    fn begin<'s>(&'s self, scope: &'s Scope<'s, '_>, flock: &'s mut [Origin]) -> Threads<'s> {
        let Self { site, storm, certificates, options } = *self;
        let seed = options.seed;
        // It keeps the endpoints until the end, and nobody waits for it before.
        scope.spawn(move || endpoints::kill_in_turns(site, storm, seed ^ 1, flock));
        Threads {
            swaps: scope.spawn(move || chaos::swap(site, storm, certificates, seed ^ 2)),
            kills: scope.spawn(move || chaos::kill(site, storm, seed ^ 3)),
            reloads: scope.spawn(move || chaos::reload(site, storm, seed ^ 4)),
            clients: Habit::ALL.map(|habit| {
                scope.spawn(move || clients::live(habit, site, storm, seed ^ habit as u64 ^ 0x100))
            }),
        }
    }

    /// Samples and tells until the time is over.
    fn watch(&self, mut load: Load, guard: &mut Guard) -> Result<Watched> {
        let mut watched = Watched { load: None, rss_kib: Vec::new(), threads: (usize::MAX, 0) };
        let started = Instant::now();
        let (mut ok, mut failed) = (0, 0);
        while started.elapsed() < self.options.duration {
            while let Some(row) = load.next_row(Duration::ZERO) {
                ok += row.ok;
                failed += row.failed;
            }
            ensure!(guard.is_running(), "the gateway has ended; see gateway.log");
            watched.sample(self.site.process)?;
            if watched.rss_kib.len().is_multiple_of(PROGRESS_SECONDS) {
                self.tell(&watched, ok, failed);
            }
            let next = Duration::from_secs(watched.rss_kib.len() as u64);
            thread::sleep(next.saturating_sub(started.elapsed()));
        }
        load.stop();
        self.storm.stop();
        watched.load = Some(load);
        Ok(watched)
    }

    fn tell(&self, watched: &Watched, ok: u64, failed: u64) {
        let counts: Vec<String> =
            self.storm.counts().iter().map(|(what, count)| format!("{count} {what}")).collect();
        println!(
            "{:>6} s  {ok} ok, {failed} failed, {} wrong; {:.1} MiB, {} threads; {}",
            watched.rss_kib.len(),
            self.storm.wrongs().0,
            watched.rss_kib.last().map_or(0.0, |&kib| kib as f64 / 1024.0),
            watched.threads.1,
            counts.join(", ")
        );
    }

    /// After the storm: the base configuration again, and then nothing may be left.
    fn finish(&self, before: Quiet, watched: Watched, ends: Ends) -> Result<Report> {
        let load = watched.load.context("there was a load")?.finish();
        let (site, storm) = (self.site, self.storm);
        chaos::apply(site, storm, &Variant::base(ends.variant + 1), true)?;
        let mut kinds = generator::outcomes(&load, storm);
        kinds.extend(ends.kinds);
        let requests = kinds.iter().map(|kind| kind.recorded).sum();
        let after = settle::after(site, storm, &before, requests)?;
        let counter = |name| Ok((name, site.sum(name, |_| true)?));
        let counters = COUNTERS.into_iter().map(counter).collect::<Result<BTreeMap<_, _>>>()?;
        let (wrong, wrongs) = storm.wrongs();
        Ok(Report {
            seed: self.options.seed,
            seconds: self.options.duration.as_secs(),
            requests_per_second: self.options.rate,
            kinds,
            chaos: storm.counts(),
            counters,
            connections: load.connections,
            before,
            after,
            threads: watched.threads,
            slope: Slope::of(&watched.rss_kib),
            rss_kib: watched.rss_kib,
            wrong,
            wrongs,
        })
    }
}

/// What was seen of the process meanwhile.
struct Watched {
    /// Stopped.
    load: Option<Load>,
    rss_kib: Vec<u64>,
    threads: (usize, usize),
}

impl Watched {
    fn sample(&mut self, process: u32) -> Result<()> {
        self.rss_kib.push((resident_memory(process)?.now_mb * 1024.0) as u64);
        let threads = sockets::threads(process)?.values().sum();
        self.threads = (self.threads.0.min(threads), self.threads.1.max(threads));
        Ok(())
    }
}
