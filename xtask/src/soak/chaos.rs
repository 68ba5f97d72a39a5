//! What is done to the gateway while it serves: its file rewritten every second, certificates swapped,
//! workers killed. Each thing is followed until it has taken effect.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bulkhead_load::Random;
use serde_json::Value;

use super::certificates::Certificates;
use super::configuration::{self, PROBE, Variant, WORKERS_MAX};
use super::site::Site;
use super::storm::Storm;
use super::wire;

/// Pause between two rewritings of the file.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);
/// Of so many files one is invalid.
const INVALID_OF: u64 = 8;

/// Rewrites the configuration until the storm stops; the number of the last one.
pub(super) fn reload(site: &Site, storm: &Storm, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut number = 0;
    let mut due = Instant::now();
    while !storm.is_stopped() {
        due += RELOAD_INTERVAL;
        storm.rest(due.saturating_duration_since(Instant::now()));
        let hang_up = random.below(2) == 0;
        let done = if number > 0 && random.below(INVALID_OF) == 0 {
            let last = Variant::drawn(seed, number);
            refuse(site, storm, &last, random.next(), hang_up)
        } else {
            number += 1;
            apply(site, storm, &Variant::drawn(seed, number), hang_up)
        };
        if let Err(error) = done {
            storm.wrong(format_args!("reload: {error:#}"));
        }
        // After a stall not all that is late at once.
        due = due.max(Instant::now().checked_sub(RELOAD_INTERVAL).unwrap_or(due));
    }
    number
}

/// Puts a valid configuration in force, and looks whether it is.
pub(super) fn apply(site: &Site, storm: &Storm, variant: &Variant, hang_up: bool) -> Result<()> {
    storm.chose(format_args!("configuration {}: {}", variant.number, variant.summary()));
    site.replace("gateway.yaml", &variant.render(&site.ports))?;
    if hang_up {
        site.hang_up()?;
    }
    site.wait_for_variant(variant.number)?;
    let number = variant.number.to_string();
    site.wait_for("the extra listener to come or go", || {
        let answer = wire::once(site.ports.extra, "GET", PROBE, "/");
        Ok(match answer {
            Ok(answer) => variant.has_extra_listener() && answer.body == number.as_bytes(),
            Err(_) => !variant.has_extra_listener(),
        })
    })?;
    site.wait_for("the extra route to come or go", || {
        let answer = wire::once(site.ports.plain, "GET", "extra.test", "/status/200")?;
        Ok(answer.status == if variant.has_extra_route() { 200 } else { 404 })
    })?;
    storm.count("configurations applied");
    Ok(())
}

/// Writes a configuration that must be refused and change nothing. No two are the same: a file that is
/// just what it was is not looked at again.
fn refuse(site: &Site, storm: &Storm, last: &Variant, kind: u64, hang_up: bool) -> Result<()> {
    let (what, text) = configuration::invalid(&last.render(&site.ports), kind);
    let text = format!("{text}\n# {kind}\n");
    storm.chose(format_args!("an invalid configuration: {what}"));
    let rejected = || site.sum("bulkhead_configs_rejected_total", |_| true);
    let before = rejected()?;
    site.replace("gateway.yaml", &text)?;
    if hang_up {
        site.hang_up()?;
    }
    site.wait_for(&format!("the refusal of a configuration: {what}"), || Ok(rejected()? > before))?;
    let answer = wire::once(site.ports.plain, "GET", PROBE, "/")?;
    ensure!(
        answer.body == last.number.to_string().as_bytes(),
        "a refused file has changed something"
    );
    storm.count("configurations refused");
    Ok(())
}

/// Swaps the certificates until the storm stops.
pub(super) fn swap(site: &Site, storm: &Storm, certificates: &Certificates, seed: u64) {
    let mut random = Random::new(seed);
    let mut chain = 0;
    while !storm.is_stopped() {
        storm.rest(Duration::from_millis(2_000 + random.below(6_000)));
        if storm.is_stopped() {
            return;
        }
        chain = 1 - chain;
        storm.chose(format_args!("certificate of chain {chain}"));
        match certificates.put(site, chain).and_then(|()| certificates.wait_for(site, chain)) {
            Ok(()) => storm.count("certificates swapped"),
            Err(error) => storm.wrong(format_args!("certificate: {error:#}")),
        }
    }
}

/// Kills workers until the storm stops.
pub(super) fn kill(site: &Site, storm: &Storm, seed: u64) {
    let mut random = Random::new(seed);
    while !storm.is_stopped() {
        storm.rest(Duration::from_millis(500 + random.below(4_000)));
        let worker = random.below(WORKERS_MAX);
        storm.chose(format_args!("worker {worker} is killed"));
        if let Err(error) = kill_one(site, storm, worker) {
            storm.wrong(format_args!("kill of worker {worker}: {error:#}"));
        }
    }
}

fn kill_one(site: &Site, storm: &Storm, worker: u64) -> Result<()> {
    let (status, body) = site.admin("POST", &format!("/workers/{worker}/kill"))?;
    if status == 409 {
        // The pool has no such worker now, or it is just coming or going.
        storm.count("kills of workers that were not there");
        return Ok(());
    }
    ensure!(status == 200, "status {status}: {body}");
    let killed: Value = serde_json::from_str(&body)?;
    ensure!(killed["connections_lost"] == 0, "connections lost: {body}");
    storm.count("workers killed");
    Ok(())
}
