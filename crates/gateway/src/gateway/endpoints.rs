//! Endpoints, as told to the gateway and as it tells of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use bulkhead_message::Address;
use bulkhead_upstream::EndpointStatus as InWorker;
use bulkhead_upstream::report::{
    CheckedEndpoint, ClusterAvailability, ClusterStatus, EndpointStatus,
};

use super::Gateway;
use crate::clock;
use crate::mailbox::{Message, Slot};
use crate::snapshot::{ClusterEntry, ClusterId};
use crate::verdicts::ClusterVerdicts;

/// How long workers may take to tell of their endpoints.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// What one worker tells.
pub(crate) type WorkerReport = Vec<(ClusterId, Vec<InWorker>)>;

impl Gateway {
    /// Makes these the verdicts of active checks on a cluster's endpoints, in place of all before.
    /// An address that is not named keeps the state it has. They stay in force until others are
    /// told, also under another configuration, as long as it checks this cluster. Ignored if the
    /// configuration does not.
    pub fn set_health(&self, cluster: &str, verdicts: Vec<(Address, bool)>) {
        let state = self.shared.state();
        let entries = state.snapshot.iter().flat_map(|snapshot| &snapshot.clusters);
        let checked = |entry: &&Arc<ClusterEntry>| entry.config.health_check.is_some();
        let found = entries.filter(checked).find(|entry| entry.config.name == cluster);
        let Some(entry) = found else { return };
        let known: HashSet<Address> =
            state.names.endpoints(&entry.config).iter().map(|spec| spec.address.clone()).collect();
        let of_cluster = verdicts.into_iter().filter(|(address, _)| known.contains(address));
        self.shared.verdicts.set(entry.id, ClusterVerdicts::new(of_cluster.collect()));
        state.slots.iter().for_each(|slot| slot.wake());
    }

    /// The endpoints in force of the clusters that are checked: whoever makes the checks tells
    /// [`Gateway::set_health`] what came of them.
    pub fn checked_endpoints(&self) -> Vec<CheckedEndpoint> {
        let state = self.shared.state();
        let entries = state.snapshot.iter().flat_map(|snapshot| &snapshot.clusters);
        let checked = entries.filter(|entry| entry.config.health_check.is_some());
        let endpoints = checked.flat_map(|entry| {
            let specs = state.names.endpoints(&entry.config).into_iter();
            specs.map(|spec| CheckedEndpoint {
                cluster: entry.config.name.clone(),
                host: state.names.host(&entry.config, &spec.address).map(str::to_owned),
                address: spec.address,
            })
        });
        endpoints.collect()
    }

    /// The clusters in force, by name, and how many of their endpoints are healthy.
    pub fn availability(&self) -> Vec<ClusterAvailability> {
        let state = self.shared.state();
        let entries = state.snapshot.iter().flat_map(|snapshot| &snapshot.clusters);
        entries
            .map(|entry| {
                let endpoints = state.names.endpoints(&entry.config);
                let verdicts = self.shared.verdicts.of(entry.id).unwrap_or_default();
                let initially = entry.settings.initially_healthy;
                let healthy = endpoints
                    .iter()
                    .filter(|spec| verdicts.of(&spec.address).unwrap_or(initially))
                    .count();
                let cluster = entry.config.name.clone();
                ClusterAvailability { cluster, endpoints: endpoints.len(), healthy }
            })
            .collect()
    }

    /// The clusters in force, by name, with their endpoints. Asks the workers, which answer between
    /// two turns; one that does not within 2 s is left out.
    pub fn endpoints(&self) -> Vec<ClusterStatus> {
        let (names, slots) = {
            let state = self.shared.state();
            let entries = state.snapshot.iter().flat_map(|snapshot| &snapshot.clusters);
            let names: BTreeMap<ClusterId, String> =
                entries.map(|entry| (entry.id, entry.config.name.clone())).collect();
            (names, state.slots.clone())
        };
        let mut found: BTreeMap<ClusterId, BTreeMap<Address, EndpointStatus>> =
            names.keys().map(|id| (*id, BTreeMap::new())).collect();
        for (id, endpoints) in ask(&slots).into_iter().flatten() {
            // A worker may be about to take the configuration that has this cluster, or has it no more.
            let Some(known) = found.get_mut(&id) else { continue };
            let verdicts = self.shared.verdicts.of(id).unwrap_or_default();
            for endpoint in endpoints {
                let status =
                    known.entry(endpoint.address.clone()).or_insert_with(|| EndpointStatus {
                        address: endpoint.address.clone(),
                        healthy: verdicts.of(&endpoint.address),
                        ejected_by: 0,
                        in_flight: 0,
                        connections: 0,
                    });
                add(status, &endpoint);
            }
        }
        let mut clusters: Vec<ClusterStatus> = found
            .into_iter()
            .filter_map(|(id, endpoints)| {
                let cluster = names.get(&id)?.clone();
                Some(ClusterStatus { cluster, endpoints: endpoints.into_values().collect() })
            })
            .collect();
        clusters.sort_by(|one, other| one.cluster.cmp(&other.cluster));
        clusters
    }
}

/// What the workers tell of their endpoints.
fn ask(slots: &[Arc<Slot>]) -> Vec<WorkerReport> {
    let (sender, reports) = sync_channel(slots.len());
    let asked = |slot: &&Arc<Slot>| slot.send(Message::Report(sender.clone())).is_ok();
    let asked = slots.iter().filter(asked).count();
    // When the last worker has answered, or died, nobody holds the other end.
    drop(sender);
    let until = clock::now() + REPORT_TIMEOUT;
    (0..asked)
        .map_while(|_| reports.recv_timeout(until.saturating_duration_since(clock::now())).ok())
        .collect()
}

/// Adds what one worker tells of the endpoint.
fn add(status: &mut EndpointStatus, endpoint: &InWorker) {
    let ejected = endpoint.ejected_until.is_some_and(|until| until > clock::now());
    status.ejected_by += usize::from(ejected);
    status.in_flight += u64::from(endpoint.in_flight);
    status.connections += endpoint.connections;
}

impl crate::worker::Worker {
    /// Tells of all endpoints.
    pub(crate) fn report(&self, to: &SyncSender<WorkerReport>) {
        let clusters = self.clusters.ids().into_iter();
        let report = clusters
            .filter_map(|id| Some((id, self.clusters.get(id)?.pool.endpoints().collect())))
            .collect();
        // Whoever asked may have given up.
        let _ = to.try_send(report);
    }
}
