//! What is injected into what, and how it is seen without asking the lab. One entry for each kind.

mod gateway;
mod host;
mod interface;
mod network;
mod process;

use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{CarrierChoice, ChaosId, Fault, ProcessFault, Target};

use super::{Ground, Lane};

/// See [`is_soon`].
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A kind of fault, and how a target for it is made.
pub(super) struct Kind {
    /// As the fault's declaration says it; behind an `@` what carries it, at an interface.
    pub(super) name: &'static str,
    /// Makes a target of our own, or makes one ready that is used again and again.
    pub(super) stage: Stage,
}

type Stage = fn(&mut Lane, &Ground) -> anyhow::Result<Box<dyn Staged>>;

/// A target of our own. Dropping it removes it.
pub(super) trait Staged {
    fn fault(&self) -> Fault;
    fn target(&self) -> anyhow::Result<Target>;
    /// By another way than the lab's: is the fault in force?
    fn is_struck(&mut self, id: ChaosId) -> bool;
    /// By another way than the lab's: is anything of it left, after it was taken back?
    fn is_left_behind(&mut self, id: ChaosId) -> bool;
}

/// Whether it is so within a while in which a busy machine, or a part that is being started again, comes
/// to itself. A fault that was left behind lives for much longer.
fn is_soon(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

/// A kind of a gateway's own or of exchanges.
macro_rules! gateway {
    ($name:literal, $fault:literal, $sees:path) => {
        Kind { name: $name, stage: |lane, _| gateway::stage(lane, $fault, $sees) }
    };
}

/// A kind of links.
macro_rules! network {
    ($name:literal, $fault:literal, $sees:path) => {
        Kind {
            name: $name,
            stage: |lane, ground| network::stage(lane.link(ground)?, $fault, $sees),
        }
    };
}

/// A kind of interfaces.
macro_rules! interface {
    ($name:literal, $carrier:ident, $fault:literal, $sees:path) => {
        Kind {
            name: $name,
            stage: |lane, _| interface::stage(lane, CarrierChoice::$carrier, $fault, $sees),
        }
    };
}

impl Kind {
    /// Whether it is at an interface.
    pub(super) fn is_of_interfaces(&self) -> bool {
        self.name.contains(CARRIED_BY)
    }

    /// The fault's own name.
    pub(super) fn fault(&self) -> &'static str {
        self.name.split(CARRIED_BY).next().unwrap_or_default()
    }
}

/// Between a fault and what carries it.
const CARRIED_BY: char = '@';

/// All kinds that the lab has injectors for.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "process.stop", stage: |_, _| process::stage(ProcessFault::Stop) },
    Kind { name: "process.kill", stage: |_, _| process::stage(ProcessFault::Kill) },
    Kind { name: "process.restart", stage: |_, _| process::restart() },
    Kind { name: "host.cpu", stage: |_, _| host::cpu() },
    Kind { name: "host.memory", stage: |_, _| host::memory() },
    Kind { name: "host.io", stage: |_, _| host::io() },
    Kind { name: "host.disk_full", stage: |_, _| host::disk_full() },
    Kind { name: "host.descriptors", stage: |_, _| host::descriptors() },
    Kind { name: "host.memory_limit", stage: |_, _| host::memory_limit() },
    gateway!(
        "http.delay",
        r#"{"http": {"delay": {"delay_ms": 50, "direction": "request"}, "percent": 100}}"#,
        gateway::is_slow
    ),
    gateway!(
        "http.abort",
        r#"{"http": {"abort": {"status": 418}, "percent": 100}}"#,
        gateway::has_odd_status
    ),
    gateway!(
        "http.replace_status",
        r#"{"http": {"replace_status": {"status": 418}, "percent": 100}}"#,
        gateway::has_odd_status
    ),
    gateway!(
        "http.truncate_body",
        r#"{"http": {"truncate_body": {"after_bytes": 3}, "percent": 100}}"#,
        gateway::is_cut
    ),
    gateway!(
        "http.corrupt_body",
        r#"{"http": {"corrupt_body": {"offset": 0, "direction": "response"}, "percent": 100}}"#,
        gateway::is_corrupt
    ),
    gateway!(
        "http.slow_body",
        r#"{"http": {"slow_body": {"bytes_per_s": 1000, "direction": "response"}, "percent": 100}}"#,
        gateway::is_slow
    ),
    gateway!(
        "http.reset",
        r#"{"http": {"reset": {"after_bytes": 3}, "percent": 100}}"#,
        gateway::is_cut
    ),
    gateway!(
        "http.upstream_failure",
        r#"{"http": {"upstream_failure": {"failure": "refused"}, "percent": 100}}"#,
        gateway::is_refused
    ),
    gateway!("http.goaway", r#"{"http": {"goaway": {}, "percent": 100}}"#, gateway::is_told_to_end),
    gateway!(
        "gateway.kill_worker",
        r#"{"gateway": {"kill_worker": {"worker": 0}}}"#,
        gateway::has_new_worker
    ),
    gateway!(
        "gateway.crash_worker",
        r#"{"gateway": {"crash_worker": {"worker": 0}}}"#,
        gateway::has_new_worker
    ),
    gateway!(
        "gateway.stall_worker",
        r#"{"gateway": {"stall_worker": {"worker": 0}}}"#,
        gateway::hangs
    ),
    gateway!(
        "gateway.panic_exchanges",
        r#"{"gateway": {"panic_exchanges": {"count": 1}}}"#,
        gateway::is_refused
    ),
    gateway!(
        "gateway.panic_connections",
        r#"{"gateway": {"panic_connections": {"count": 1}}}"#,
        gateway::is_cut
    ),
    gateway!(
        "gateway.shrink_pools",
        r#"{"gateway": {"shrink_pools": {"connections_max": 1}}}"#,
        gateway::says_so
    ),
    gateway!(
        "gateway.hold_descriptors",
        r#"{"gateway": {"hold_descriptors": {"count": 50}}}"#,
        gateway::has_more_files
    ),
    gateway!(
        "gateway.clock_offset",
        r#"{"gateway": {"clock_offset": {"offset_s": -100000000}}}"#,
        gateway::has_another_date
    ),
    gateway!("gateway.slow_log", r#"{"gateway": {"slow_log": {"delay_ms": 5}}}"#, gateway::says_so),
    gateway!(
        "gateway.bad_config",
        r#"{"gateway": {"bad_config": {"wrong": "unbindable_address"}}}"#,
        gateway::says_so
    ),
    gateway!(
        "gateway.rotate_ticket_keys",
        r#"{"gateway": {"rotate_ticket_keys": {}}}"#,
        gateway::says_so
    ),
    gateway!(
        "gateway.rotate_jwt_keys",
        r#"{"gateway": {"rotate_jwt_keys": {}}}"#,
        gateway::says_so
    ),
    gateway!(
        "gateway.expire_certificates",
        r#"{"gateway": {"expire_certificates": {}}}"#,
        gateway::says_so
    ),
    network!(
        "network.partition",
        r#"{"network": {"partition": {"direction": "both"}}}"#,
        network::loses_all
    ),
    network!(
        "network.loss",
        r#"{"network": {"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 50}}}}}"#,
        network::loses_some
    ),
    network!(
        "network.delay",
        r#"{"network": {"delay": {"direction": "upstream", "base_ms": 20}}}"#,
        network::is_late
    ),
    network!(
        "network.reorder",
        r#"{"network": {"reorder": {"direction": "upstream", "percent": 50, "hold_back_ms": 10}}}"#,
        network::overtakes
    ),
    network!(
        "network.duplicate",
        r#"{"network": {"duplicate": {"direction": "downstream", "percent": 100}}}"#,
        network::copies
    ),
    network!(
        "network.corrupt",
        r#"{"network": {"corrupt": {"direction": "upstream", "percent": 100}}}"#,
        network::loses_all
    ),
    network!(
        "network.bandwidth",
        r#"{"network": {"bandwidth": {"direction": "upstream", "bits_per_second": 2000000,
            "burst_bytes": 1500, "queue_bytes": 1000000}}}"#,
        network::is_narrow
    ),
    network!(
        "network.reset",
        r#"{"network": {"reset": {"direction": "upstream", "percent": 100}}}"#,
        network::resets
    ),
    network!(
        "network.dns",
        r#"{"network": {"dns": {"direction": "upstream", "percent": 100, "failure": "nxdomain"}}}"#,
        network::denies_names
    ),
    interface!(
        "network.partition@nftables",
        Nftables,
        r#"{"network": {"partition": {"direction": "upstream"}}}"#,
        network::loses_all
    ),
    interface!(
        "network.loss@nftables",
        Nftables,
        r#"{"network": {"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 50}}}}}"#,
        network::loses_some
    ),
    interface!(
        "network.dns@nftables",
        Nftables,
        r#"{"network": {"dns": {"direction": "upstream", "percent": 100, "failure": "timeout"}}}"#,
        interface::loses_queries
    ),
    interface!(
        "network.partition@bpf",
        Bpf,
        r#"{"network": {"partition": {"direction": "upstream"}}}"#,
        network::loses_all
    ),
    interface!(
        "network.loss@bpf",
        Bpf,
        r#"{"network": {"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 50}}}}}"#,
        network::loses_some
    ),
    interface!(
        "network.dns@bpf",
        Bpf,
        r#"{"network": {"dns": {"direction": "upstream", "percent": 100, "failure": "timeout"}}}"#,
        interface::loses_queries
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bulkhead_chaos::FAULT_KINDS;

    use super::KINDS;

    /// A kind that can be declared and that the bench does not know would be left out silently.
    #[test]
    fn the_bench_knows_every_kind_that_can_be_declared() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len(), "each is there once");
        let known: BTreeSet<&str> = KINDS.iter().map(super::Kind::fault).collect();
        assert_eq!(known, FAULT_KINDS.iter().map(|kind| kind.name).collect());
    }
}
