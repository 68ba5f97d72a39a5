//! Before and after the storm: what is open, and whether all that was begun has ended.

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use super::configuration::Variant;
use super::site::Site;
use super::sockets::{Census, census, threads};
use super::storm::Storm;

/// Gauges that are 0 when nobody is served.
const GAUGES: [&str; 5] = [
    "http_server_active_requests",
    "http_server_open_connections",
    "http_client_open_connections",
    "bulkhead_relays_active",
    "bulkhead_tunnels_active",
];
/// Counters of what must never happen.
const NEVER: [&str; 5] = [
    "bulkhead_connections_lost_total",
    "bulkhead_workers_panicked_total",
    "bulkhead_worker_panics_total",
    "bulkhead_accept_errors_total",
    "bulkhead_connections_refused_total",
];
/// Routes of which each request has a record, and no other.
const ROUTES: [&str; 4] = ["flock", "flock-grpc", "steady", "steady-grpc"];
const TCP_OPEN: &str = "tcp open";
/// Threads of the control plane that wait in its place.
const POOLED: &str = "control-wait";

/// A gateway that serves nobody.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Quiet {
    /// Open descriptors by kind.
    pub(super) open: Census,
    /// Threads by name, without those of a pool.
    pub(super) threads: Census,
}

impl Quiet {
    fn of(site: &Site) -> Result<Self> {
        let (open, mut threads) = (census(site.process)?, threads(site.process)?);
        // A pool, which has no more of them than its limit, and as few as it likes.
        threads.remove(POOLED);
        Ok(Self { open, threads })
    }
}

/// Lets the pool of workers grow once, and waits until no connection is open. A socket that is
/// listened on is never closed while its address is in the configuration, so from now on there are as
/// many as there will ever be.
pub(super) fn before(site: &Site) -> Result<Quiet> {
    for variant in [Variant::largest(0), Variant::base(0)] {
        site.replace("gateway.yaml", &variant.render(&site.ports))?;
        site.hang_up()?;
        let workers = variant.workers();
        site.wait_for(&format!("{workers} workers"), || {
            let document = site.document("/workers")?;
            Ok(document["workers"].as_array().map(Vec::len) == Some(workers as usize))
        })?;
    }
    site.wait_for("a gateway without connections", || {
        Ok(!Quiet::of(site)?.open.contains_key(TCP_OPEN))
    })?;
    Quiet::of(site)
}

/// Waits until the gateway is as it was, and looks at what it has counted. Health checks come and go and
/// idle connections have their time, so this is not so at once.
pub(super) fn after(site: &Site, storm: &Storm, quiet: &Quiet, requests: u64) -> Result<Quiet> {
    let settled = site.wait_for("the gateway to be as quiet as it was", || {
        let now = Quiet::of(site)?;
        ensure!(now == *quiet, "before: {quiet:?}, now: {now:?}");
        for gauge in GAUGES {
            let value = site.sum(gauge, |_| true)?;
            ensure!(value == 0.0, "{gauge} is {value}");
        }
        let serving = serving(site)?;
        ensure!(serving == 0, "the workers have {serving} connections and exchanges");
        let recorded = recorded(site)?;
        ensure!(recorded == requests as f64, "{requests} requests were made, {recorded} recorded");
        Ok(true)
    });
    if let Err(error) = settled {
        storm.wrong(format_args!("{error:#}"));
    }
    for counter in NEVER {
        let value = site.sum(counter, |_| true)?;
        if value != 0.0 {
            storm.wrong(format_args!("{counter} is {value}"));
        }
    }
    Quiet::of(site)
}

/// Requests of the storm's clients that have a record.
fn recorded(site: &Site) -> Result<f64> {
    let labels = ROUTES.map(|route| format!("http_route=\"{route}\""));
    site.sum("http_server_requests_total", |rest| labels.iter().any(|label| rest.contains(label)))
}

fn serving(site: &Site) -> Result<u64> {
    let document = site.document("/workers")?;
    let Some(workers) = document["workers"].as_array() else { bail!("/workers lists none") };
    let of = |name: &str| workers.iter().filter_map(|worker| worker[name].as_u64()).sum::<u64>();
    Ok(of("connections") + of("exchanges"))
}
