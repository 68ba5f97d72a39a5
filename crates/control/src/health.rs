//! Active health checks: each endpoint of a cluster that is to be checked is asked once per process,
//! here, and the data plane is told the verdicts.
//!
//! One task for each endpoint. Tasks follow the configuration and the endpoints in force: what did
//! not change keeps its task, and so its state. A check has a connection of its own, is bounded in
//! time, and at most [`CHECKS_AT_ONCE_MAX`] run at a time. Verdicts outlive this: the data plane keeps
//! the last.

mod conversation;
mod probe;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_message::Address;
use bulkhead_upstream::{CheckedHealth, HealthThresholds, Rng};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::event::{Event, Listen};
use crate::plane::Plane;
pub(crate) use target::Checks;
use target::Target;

/// Checks that run at a time; others wait for their turn.
pub const CHECKS_AT_ONCE_MAX: usize = 256;
/// How often the endpoints in force are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks what is in force until its task is dropped.
pub(crate) async fn check_for_ever(
    plane: Arc<dyn Plane>,
    events: Arc<Listen>,
    mut checks: watch::Receiver<Arc<Checks>>,
) {
    let shared = Arc::new(Shared {
        plane,
        events,
        checks: checks.clone(),
        permits: Semaphore::new(CHECKS_AT_ONCE_MAX),
        verdicts: Mutex::default(),
    });
    let mut running = Running::default();
    loop {
        if !checks.borrow_and_update().is_empty() || !running.tasks.is_empty() {
            running.follow(&shared);
        }
        tokio::select! {
            changed = checks.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

/// Verdicts by cluster and endpoint.
type Verdicts = BTreeMap<String, BTreeMap<Address, bool>>;

/// What all checks share.
struct Shared {
    plane: Arc<dyn Plane>,
    events: Arc<Listen>,
    checks: watch::Receiver<Arc<Checks>>,
    permits: Semaphore,
    verdicts: Mutex<Verdicts>,
}

/// The tasks, one for each endpoint that is checked. Dropping them ends them.
#[derive(Default)]
struct Running {
    tasks: HashMap<(String, Address), (Target, AbortHandle)>,
    set: JoinSet<()>,
}

impl Running {
    /// Makes the tasks those of the configuration and the endpoints in force.
    fn follow(&mut self, shared: &Arc<Shared>) {
        let checks = Arc::clone(&shared.checks.borrow());
        let wanted: HashMap<(String, Address), Target> = shared
            .plane
            .checked_endpoints()
            .into_iter()
            .filter_map(|endpoint| checks.target(endpoint))
            .map(|target| ((target.cluster.clone(), target.endpoint.clone()), target))
            .collect();
        self.tasks.retain(|key, (target, task)| {
            let stays = wanted.get(key) == Some(target);
            if !stays {
                task.abort();
            }
            stays
        });
        for (key, target) in &wanted {
            if !self.tasks.contains_key(key) {
                let check = Arc::clone(shared).check_endpoint(target.clone());
                let task = self.set.spawn(check);
                self.tasks.insert(key.clone(), (target.clone(), task));
            }
        }
        while self.set.try_join_next().is_some() {}
        shared.forget_all_but(|cluster, endpoint| {
            wanted.contains_key(&(cluster.to_owned(), endpoint.clone()))
        });
    }
}

impl Shared {
    /// Checks one endpoint again and again, the first time at once.
    async fn check_endpoint(self: Arc<Self>, target: Target) {
        let check = &target.check;
        let thresholds = HealthThresholds {
            healthy: check.healthy_threshold,
            unhealthy: check.unhealthy_threshold,
        };
        let mut health = CheckedHealth::default();
        let mut rng = Rng::new(RandomState::new().build_hasher().finish());
        loop {
            let result = self.check_once(&target).await;
            if let Some(healthy) = health.record(result.is_ok(), &thresholds) {
                self.tell(&target, healthy, result.err());
            }
            let jitter = check.interval * check.jitter_percent / 100;
            let extra = Duration::from_micros(rng.below(jitter.as_micros() as u64 + 1));
            tokio::time::sleep(check.interval + extra).await;
        }
    }

    /// One check.
    ///
    /// # Errors
    /// Why it did not pass.
    async fn check_once(&self, target: &Target) -> Result<(), String> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let checks = Arc::clone(&self.checks.borrow());
        let probe = probe::probe(target, checks.tls(&target.cluster));
        tokio::time::timeout(target.check.timeout, probe).await.unwrap_or_else(|_| {
            Err(format!("no answer within {} ms", target.check.timeout.as_millis()))
        })
    }

    /// Tells the data plane a verdict, and the log if it is news.
    fn tell(&self, target: &Target, healthy: bool, reason: Option<String>) {
        let mut verdicts = self.verdicts();
        let of_cluster = verdicts.entry(target.cluster.clone()).or_default();
        let before = of_cluster.insert(target.endpoint.clone(), healthy);
        self.plane.set_health(&target.cluster, of_cluster.clone().into_iter().collect());
        drop(verdicts);
        if before.unwrap_or(true) != healthy {
            let (cluster, endpoint) = (target.cluster.clone(), target.endpoint.clone());
            (self.events)(match reason {
                Some(reason) => Event::EndpointUnhealthy { cluster, endpoint, reason },
                None => Event::EndpointHealthy { cluster, endpoint },
            });
        }
    }

    /// Forgets verdicts on endpoints that are not checked any more.
    fn forget_all_but(&self, keep: impl Fn(&str, &Address) -> bool) {
        let mut verdicts = self.verdicts();
        for (cluster, of_cluster) in verdicts.iter_mut() {
            let before = of_cluster.len();
            of_cluster.retain(|endpoint, _| keep(cluster, endpoint));
            if of_cluster.len() < before {
                self.plane.set_health(cluster, of_cluster.clone().into_iter().collect());
            }
        }
        verdicts.retain(|_, of_cluster| !of_cluster.is_empty());
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
