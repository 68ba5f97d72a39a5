//! The gateway, as the control plane sees it. The only place where the two meet.

use std::net::SocketAddr;

use bulkhead_chaos::{FaultRefusal, FaultReport, FaultRule, Placed};
use bulkhead_config::Config;
use bulkhead_config::model::{Discovery, Endpoint};
use bulkhead_control::{
    AcmeChallenges, CertificateProblem, CertificateStatus, CheckedEndpoint, ClusterAvailability,
    ClusterStatus, ListenerStatus, Plane, WorkerKilled, WorkerStatus,
};
use bulkhead_gateway::Gateway;
use bulkhead_message::Address;
use bulkhead_telemetry::EndpointCounts;
use bulkhead_transport::CertificatePem;

use crate::failure::chain;

/// How an upgrade is asked for, and what became of it ([`Plane::upgrade`]).
type Upgrade = Box<dyn Fn() -> Result<Option<u32>, String> + Send + Sync>;

/// A running gateway.
pub(crate) struct GatewayPlane {
    pub(crate) gateway: Gateway,
    /// The number of workers that the command line asks for: files do not change it.
    workers: Option<usize>,
    upgrade: Upgrade,
}

impl GatewayPlane {
    pub(crate) fn new(
        gateway: Gateway,
        workers: Option<usize>,
        upgrade: impl Fn() -> Result<Option<u32>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { gateway, workers, upgrade: Box::new(upgrade) }
    }
}

impl Plane for GatewayPlane {
    /// A worker that is being replaced is no reason: its siblings serve.
    fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.gateway.revision() == 0 {
            reasons.push("no configuration is in force".to_owned());
        }
        if !self.gateway.workers().iter().any(|worker| worker.alive) {
            reasons.push("no worker is alive".to_owned());
        }
        reasons
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        self.gateway
            .workers()
            .into_iter()
            .map(|worker| WorkerStatus {
                index: worker.index,
                generation: worker.generation,
                alive: worker.alive,
                connections: worker.connections,
                exchanges: worker.exchanges,
                cpu_time: worker.cpu_time,
            })
            .collect()
    }

    fn listeners(&self) -> Vec<ListenerStatus> {
        let addresses = self.gateway.addresses().into_iter();
        addresses
            .map(|(name, address)| {
                let tls = self.gateway.shows_certificates(&name);
                ListenerStatus { name, address, tls }
            })
            .collect()
    }

    fn kill_worker(&self, worker: usize) -> Result<WorkerKilled, String> {
        let report = self.gateway.kill_worker(worker).map_err(|error| error.to_string())?;
        Ok(WorkerKilled {
            connections_moved: report.connections_moved as u64,
            exchanges_moved: report.exchanges_moved as u64,
            connections_lost: report.connections_lost as u64,
            duration: report.duration,
        })
    }

    fn put_fault(&self, id: &str, rule: FaultRule) -> Result<Placed, FaultRefusal> {
        self.gateway.put_fault(id, rule)
    }

    fn faults(&self) -> Vec<FaultReport> {
        self.gateway.faults()
    }

    fn fault(&self, id: &str) -> Option<FaultReport> {
        self.gateway.fault(id)
    }

    fn remove_fault(&self, id: &str) -> Result<FaultReport, FaultRefusal> {
        self.gateway.remove_fault(id)
    }

    fn remove_faults(&self) -> usize {
        self.gateway.remove_faults()
    }

    fn resize_workers(&self, workers: usize) -> Result<usize, String> {
        self.gateway.resize(workers).map_err(|error| error.to_string())
    }

    fn upgrade(&self) -> Result<Option<u32>, String> {
        (self.upgrade)()
    }

    fn apply(&self, mut config: Config) -> Result<u64, Vec<String>> {
        config.workers = self.workers.or(config.workers);
        self.gateway.apply(config).map_err(|error| vec![chain(&anyhow::Error::new(error))])
    }

    fn set_addresses(&self, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        self.gateway.set_addresses(host, port, addresses);
    }

    fn checked_endpoints(&self) -> Vec<CheckedEndpoint> {
        self.gateway.checked_endpoints()
    }

    fn set_health(&self, cluster: &str, verdicts: Vec<(Address, bool)>) {
        self.gateway.set_health(cluster, verdicts);
    }

    fn availability(&self) -> Vec<ClusterAvailability> {
        self.gateway.availability()
    }

    fn endpoints(&self) -> Vec<ClusterStatus> {
        self.gateway.endpoints()
    }

    fn set_discovered(&self, source: &Discovery, endpoints: Vec<Endpoint>) {
        self.gateway.set_discovered(source, endpoints);
    }

    fn metrics(&self) -> String {
        let registry = self.gateway.registry();
        let counts = self.gateway.availability().into_iter().map(|of| EndpointCounts {
            cluster: of.cluster,
            endpoints: of.endpoints as u64,
            healthy: of.healthy as u64,
        });
        registry.set_endpoints(counts.collect());
        // The kernel keeps these; asking when somebody looks costs the workers nothing.
        for worker in self.gateway.workers() {
            registry.shard(worker.index).set_cpu(worker.cpu_time);
        }
        registry.render()
    }

    fn certificates(&self) -> CertificateStatus {
        let report = self.gateway.certificates();
        let problems = report.problems.iter().map(|problem| CertificateProblem {
            file: problem.file.clone(),
            reason: problem.reason.clone(),
            kept: problem.kept,
        });
        CertificateStatus {
            soonest: report.soonest.clone(),
            problems: problems.collect(),
            staple_ends: report.staple_ends,
        }
    }

    fn set_acme_challenges(&self, challenges: AcmeChallenges) -> Result<(), String> {
        let tls = challenges.tls.into_iter().map(|(name, chain, key)| {
            let pem = CertificatePem { chain_pem: chain.into_bytes(), key_pem: key.into_bytes() };
            (name, pem)
        });
        let set = self.gateway.set_acme_challenges(challenges.http, tls.collect());
        set.map_err(|error| error.to_string())
    }

    fn config_rejected(&self) {
        self.gateway.registry().config_rejected();
    }
}

#[cfg(test)]
mod tests;
