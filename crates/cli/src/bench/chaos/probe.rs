//! Whether anything is left, looked for without the lab: in `/proc`, in the networks, at the gateways,
//! and by packets over a link that was made for it.

mod host;

use std::time::Duration;

use serde_json::Value;

use host::Known;
pub(super) use host::{Before, Process, processes};

use super::lane::{LinkUse, get};
use super::{Ground, warn};

/// Packets over a link that was made for it, none of which may be lost.
const ECHOES: u16 = 500;
/// That link's name.
const FRESH: &str = "fresh";
/// For a gateway that is well.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is left while no injection is under way; each is told to whoever watches, too.
pub(super) fn quiet(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    let status = ground.lab.wait("/v1/status", |it| it["live"] == 0)?;
    if status["live"] != 0 {
        left.push(format!("{} injections have not ended: {status}", status["live"]));
    }
    let links = ground.lab.ask("GET", "/v1/links", "")?.document;
    let known = Known::of(ground.lab.pid(), &links);
    for process in processes() {
        left.extend(process.told(&known));
    }
    for gateway in &ground.gateways {
        let faults = get(gateway.admin, "/faults", PATIENCE);
        let document: Option<Value> =
            faults.ok().and_then(|it| serde_json::from_slice(&it.body).ok());
        let Some(document) = document else {
            left.push(format!("the gateway at {} does not tell its faults", gateway.admin));
            continue;
        };
        let active = document["faults"].as_array().into_iter().flatten();
        let active: Vec<_> = active.filter(|it| it["state"] == "active").collect();
        if !active.is_empty() {
            left.push(format!("the gateway at {} has {active:?}", gateway.admin));
        }
    }
    left.extend(fresh_link(ground, &links)?);
    for line in &left {
        warn(&format!("LEFT BEHIND: {line}"));
    }
    Ok(left)
}

/// Where links can be made at all, one was made already.
fn fresh_link(ground: &Ground, links: &Value) -> anyhow::Result<Option<String>> {
    if links.as_array().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let mut link = LinkUse::renew(None, FRESH, ground)?;
    let seen = link.echo(ECHOES, 56, 200, 2_000)?;
    drop(link);
    ground.lab.ask("DELETE", &format!("/v1/links/{FRESH}"), "")?;
    let is_well = seen.received == ECHOES && seen.copies == 0 && seen.overtaken == 0;
    Ok((!is_well).then(|| format!("a new link does not pass everything: {seen:?}")))
}
