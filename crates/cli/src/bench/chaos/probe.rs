//! Whether anything is left, looked for without the lab: in `/proc`, in the networks, at the gateways,
//! and by packets over a link that was made for it.

mod host;

use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::CarrierChoice;
use serde_json::Value;

use host::Known;
pub(super) use host::{Before, Process, processes};

use super::lab::BenchLab;
use super::lane::{LinkUse, get};
use super::{Ground, warn};

/// Packets over a link that was made for it, none of which may be lost.
const ECHOES: u16 = 500;
/// That link's name.
const FRESH: &str = "fresh";
/// For what ends by itself; a fault that was left behind lives for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What is left while no injection is under way; each is told to whoever watches, too.
pub(super) fn quiet(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    let status = ground.lab.wait("/v1/status", |it| it["live"] == 0)?;
    if status["live"] != 0 {
        left.push(format!("{} injections have not ended: {status}", status["live"]));
    }
    // The kernel takes a moment for what a killed process had.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look(ground)?;
        if seen.is_empty() || Instant::now() >= deadline {
            left.extend(seen);
            break;
        }
        thread::sleep(PAUSE);
    }
    if ground.can_link {
        left.extend(fresh_link(ground)?);
    }
    for line in &left {
        warn(&format!("LEFT BEHIND: {line}"));
    }
    Ok(left)
}

fn look(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let links = ground.lab.ask("GET", "/v1/links", "")?.document;
    let wires = ground.wires.iter().flat_map(|wire| wire.networks());
    let known = Known::of(ground.lab.pid(), &links, wires);
    let mut left: Vec<String> = processes().iter().flat_map(|it| it.told(&known)).collect();
    for wire in &ground.wires {
        for carrier in [CarrierChoice::Nftables, CarrierChoice::Bpf] {
            // What cannot be asked cannot have been told to do anything either.
            let there = wire.left(carrier).unwrap_or_default();
            left.extend(there.into_iter().map(|it| format!("a wire has {it}")));
        }
    }
    for gateway in &ground.gateways {
        let faults = get(gateway.admin, "/faults", PATIENCE).ok();
        let document = faults.and_then(|it| serde_json::from_slice::<Value>(&it.body).ok());
        match document.as_ref().and_then(|it| it["faults"].as_array()) {
            None => left.push(format!("the gateway at {} does not tell its faults", gateway.admin)),
            Some(faults) => {
                let active = faults.iter().filter(|it| it["state"] == "active");
                left.extend(active.map(|it| format!("the gateway at {} has {it}", gateway.admin)));
            }
        }
    }
    Ok(left)
}

/// Whether the lab can make links at all.
pub(super) fn can_link(lab: &BenchLab) -> anyhow::Result<bool> {
    let path = format!("/v1/links/{FRESH}");
    let made = lab.ask("PUT", &path, "")?;
    lab.ask("DELETE", &path, "")?;
    Ok(made.status < 300)
}

fn fresh_link(ground: &Ground) -> anyhow::Result<Option<String>> {
    let mut link = LinkUse::renew(None, FRESH, ground)?;
    let seen = link.looker.echo(ECHOES, 56, 200, 2_000)?;
    drop(link);
    ground.lab.ask("DELETE", &format!("/v1/links/{FRESH}"), "")?;
    let is_well = seen.received == ECHOES && seen.copies == 0 && seen.overtaken == 0;
    Ok((!is_well).then(|| format!("a new link does not pass everything: {seen:?}")))
}
