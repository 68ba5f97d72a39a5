//! A data plane that remembers what it was told.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use bulkhead_chaos::FaultState;

use super::*;

/// What a test can see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Applied(Box<Config>),
    Addresses(String, Vec<SocketAddr>),
    Health(String, Vec<(Address, bool)>),
    Discovered(Discovery, Vec<Endpoint>),
}

pub(crate) struct FakePlane {
    pub(crate) unready: Mutex<Vec<String>>,
    /// What `apply` is answered with, if not with success.
    pub(crate) refusal: Mutex<Option<Vec<String>>>,
    pub(crate) rejected: Mutex<usize>,
    pub(crate) certificates: Mutex<CertificateStatus>,
    pub(crate) checked: Mutex<Vec<CheckedEndpoint>>,
    pub(crate) availability: Mutex<Vec<ClusterAvailability>>,
    pub(crate) injected: Mutex<Vec<FaultReport>>,
    revision: Mutex<u64>,
    told: Mutex<Sender<Told>>,
}

impl FakePlane {
    pub(crate) fn new() -> (std::sync::Arc<Self>, std::sync::mpsc::Receiver<Told>) {
        let (sender, receiver) = channel();
        let plane = Self {
            unready: Mutex::default(),
            refusal: Mutex::default(),
            rejected: Mutex::default(),
            certificates: Mutex::default(),
            checked: Mutex::default(),
            availability: Mutex::default(),
            injected: Mutex::default(),
            revision: Mutex::new(1),
            told: Mutex::new(sender),
        };
        (std::sync::Arc::new(plane), receiver)
    }

    fn tell(&self, told: Told) {
        // A test that looks no more has ended.
        let _ = self.told.lock().unwrap().send(told);
    }
}

impl Plane for FakePlane {
    fn unready(&self) -> Vec<String> {
        self.unready.lock().unwrap().clone()
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        vec![WorkerStatus {
            index: 0,
            generation: 2,
            alive: true,
            connections: 10,
            exchanges: 3,
            cpu_time: Duration::from_millis(1_500),
        }]
    }

    fn listeners(&self) -> Vec<ListenerStatus> {
        let address = "127.0.0.1:8443".parse().unwrap();
        vec![ListenerStatus { name: "web".to_owned(), address, tls: true }]
    }

    fn kill_worker(&self, worker: usize) -> Result<WorkerKilled, String> {
        if worker > 0 {
            return Err(format!("there is no worker {worker}"));
        }
        Ok(WorkerKilled {
            connections_moved: 10,
            exchanges_moved: 3,
            connections_lost: 0,
            duration: Duration::from_micros(1_250),
        })
    }

    fn put_fault(&self, id: &str, rule: FaultRule) -> Result<Placed, FaultRefusal> {
        FaultRule::check_id(id).map_err(|error| FaultRefusal::Invalid(error.to_string()))?;
        if let Some(report) = self.fault(id) {
            return Ok(Placed::Unchanged(report));
        }
        let report = FaultReport {
            id: id.to_owned(),
            state: FaultState::Active,
            ttl_left_ms: rule.ttl_ms,
            rule: Some(rule),
            hits: 0,
            seen: 0,
            active: 0,
            in_force: true,
            done: None,
            groups: None,
        };
        self.injected.lock().unwrap().push(report.clone());
        Ok(Placed::Created(report))
    }

    fn faults(&self) -> Vec<FaultReport> {
        self.injected.lock().unwrap().clone()
    }

    fn fault(&self, id: &str) -> Option<FaultReport> {
        self.faults().into_iter().find(|report| report.id == id)
    }

    fn remove_fault(&self, id: &str) -> Result<FaultReport, FaultRefusal> {
        let Some(report) = self.fault(id) else {
            return Err(FaultRefusal::Invalid("there is none".to_owned()));
        };
        self.injected.lock().unwrap().retain(|report| report.id != id);
        Ok(FaultReport { state: FaultState::Removed, ..report })
    }

    fn remove_faults(&self) -> usize {
        std::mem::take(&mut *self.injected.lock().unwrap()).len()
    }

    fn resize_workers(&self, workers: usize) -> Result<usize, String> {
        if workers == 0 {
            return Err("there must be workers".to_owned());
        }
        Ok(1)
    }

    fn upgrade(&self) -> Result<Option<u32>, String> {
        Ok(Some(4711))
    }

    fn apply(&self, config: Config) -> Result<u64, Vec<String>> {
        if let Some(reasons) = self.refusal.lock().unwrap().clone() {
            return Err(reasons);
        }
        let mut revision = self.revision.lock().unwrap();
        *revision += 1;
        self.tell(Told::Applied(Box::new(config)));
        Ok(*revision)
    }

    fn set_addresses(&self, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        self.tell(Told::Addresses(format!("{host}:{port}"), addresses));
    }

    fn checked_endpoints(&self) -> Vec<CheckedEndpoint> {
        self.checked.lock().unwrap().clone()
    }

    fn set_health(&self, cluster: &str, verdicts: Vec<(Address, bool)>) {
        self.tell(Told::Health(cluster.to_owned(), verdicts));
    }

    fn availability(&self) -> Vec<ClusterAvailability> {
        self.availability.lock().unwrap().clone()
    }

    fn endpoints(&self) -> Vec<ClusterStatus> {
        let endpoint = EndpointStatus {
            address: ([10, 0, 0, 1], 80).into(),
            healthy: Some(false),
            ejected_by: 1,
            in_flight: 7,
            connections: 2,
        };
        vec![ClusterStatus { cluster: "api".to_owned(), endpoints: vec![endpoint] }]
    }

    fn set_discovered(&self, source: &Discovery, endpoints: Vec<Endpoint>) {
        self.tell(Told::Discovered(source.clone(), endpoints));
    }

    fn metrics(&self) -> String {
        "bulkhead_build_info 1\n".to_owned()
    }

    fn certificates(&self) -> CertificateStatus {
        self.certificates.lock().unwrap().clone()
    }

    fn set_acme_challenges(&self, _challenges: AcmeChallenges) -> Result<(), String> {
        Ok(())
    }

    fn config_rejected(&self) {
        *self.rejected.lock().unwrap() += 1;
    }
}
