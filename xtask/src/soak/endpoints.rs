//! Endpoints that are killed and come back on the same port. One at a time: the next one dies only
//! when the gateway has taken the last one back.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use bulkhead_load::Random;
use serde_json::Value;

use super::site::Site;
use super::storm::Storm;
use crate::gateway::Guard;

/// An endpoint.
pub(super) struct Origin {
    pub(super) port: u16,
    guard: Guard,
}

impl Origin {
    /// Starts it and waits until it listens.
    pub(super) fn start(bulkhead: &Path, directory: &Path, port: u16) -> Result<Self> {
        let mut command = Command::new(bulkhead);
        command.args(["origin", "--listen", &format!("127.0.0.1:{port}")]);
        let log = directory.join(format!("origin-{port}.log"));
        Ok(Self { port, guard: Guard::start(&command, port, &log)? })
    }
}

/// Kills endpoints in turns until the storm stops, and then keeps all of them until it is over.
pub(super) fn kill_in_turns(site: &Site, storm: &Storm, seed: u64, flock: &mut [Origin]) {
    let mut random = Random::new(seed);
    while !storm.is_stopped() {
        storm.rest(Duration::from_millis(500 + random.below(3_000)));
        if storm.is_stopped() {
            break;
        }
        let place = random.below(flock.len() as u64) as usize;
        let down = Duration::from_millis(random.below(2_000));
        if let Err(error) = kill_one(site, storm, &mut flock[place], down) {
            storm.wrong(format_args!("an endpoint does not come back: {error:#}"));
        }
    }
    storm.wait_for_end();
}

fn kill_one(site: &Site, storm: &Storm, origin: &mut Origin, down: Duration) -> Result<()> {
    let port = origin.port;
    storm.chose(format_args!("endpoint {port} dies for {} ms", down.as_millis()));
    storm.dying(|| origin.guard.kill())?;
    storm.count("endpoints killed");
    thread::sleep(down);
    *origin = Origin::start(&site.bulkhead, &site.directory, port)?;
    storm.chose(format_args!("endpoint {port} is back"));
    let address = format!("127.0.0.1:{port}");
    site.wait_for(&format!("endpoint {port} in service"), || {
        Ok(is_in_service(&site.document("/endpoints")?, &address))
    })
}

/// In every cluster that has it: healthy, and ejected by no worker.
fn is_in_service(document: &Value, address: &str) -> bool {
    let clusters = document["clusters"].as_array().into_iter().flatten();
    let mut endpoints = clusters
        .flat_map(|cluster| cluster["endpoints"].as_array().into_iter().flatten())
        .filter(|endpoint| endpoint["address"] == address)
        .peekable();
    endpoints.peek().is_some()
        && endpoints.all(|endpoint| {
            endpoint["healthy"] != Value::Bool(false) && endpoint["ejected_by_workers"] == 0
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_endpoint_is_back_only_when_every_cluster_has_it_back() {
        let of = |healthy: [Value; 2], ejected: u64| {
            json!({"clusters": [
                {"endpoints": [{"address": "a", "healthy": healthy[0], "ejected_by_workers": 0}]},
                {"endpoints": [{"address": "a", "healthy": healthy[1], "ejected_by_workers": ejected},
                               {"address": "b", "healthy": false, "ejected_by_workers": 1}]},
            ]})
        };
        assert!(is_in_service(&of([json!(true), Value::Null], 0), "a"));
        assert!(!is_in_service(&of([json!(true), json!(false)], 0), "a"));
        assert!(!is_in_service(&of([json!(true), json!(true)], 2), "a"));
        assert!(!is_in_service(&of([json!(true), json!(true)], 0), "c"));
    }
}
