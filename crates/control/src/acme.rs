//! Certificates by ACME (RFC 8555): obtained, stored, renewed. What is stored is found by the watch
//! over files like any other certificate; a failure leaves what there is in force and is told.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_config::model::Acme;
use tokio::task::JoinSet;

use crate::event::{Event, Listen};
use crate::plane::Plane;

mod order;
mod proof;
mod storage;

use order::{AcmeError, Orders};
use storage::Storage;

/// How often certificates are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(600);
/// First wait after a failure; each further one is twice as long. (Let's Encrypt allows five failed
/// validations of a name in an hour.)
const RETRY_MIN: Duration = Duration::from_secs(300);
/// Longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(24 * 3600);
/// Shortest wait after the server said that there were too many requests.
const RATE_LIMITED_MIN: Duration = Duration::from_secs(3600);

/// Starts to keep certificates; they are kept as long as the set that is given back is.
pub(crate) fn keep(
    acme: Option<Acme>,
    plane: &Arc<dyn Plane>,
    events: &Arc<Listen>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(acme) = acme {
        let keeper = Keeper {
            storage: Storage::new(&acme),
            acme,
            plane: Arc::clone(plane),
            events: Arc::clone(events),
            failures: HashMap::new(),
        };
        tasks.spawn(keeper.run());
    }
    tasks
}

struct Keeper {
    acme: Acme,
    storage: Storage,
    plane: Arc<dyn Plane>,
    events: Arc<Listen>,
    /// By first name: failures in a row, and when to try again.
    failures: HashMap<String, (u32, SystemTime)>,
}

impl Keeper {
    async fn run(mut self) {
        let mut orders = None;
        loop {
            for names in self.acme.domains.clone() {
                if self.is_due(&names, SystemTime::now()) {
                    let obtained = self.obtain(&mut orders, &names).await;
                    self.note(&names, obtained);
                }
            }
            let now = SystemTime::now();
            let retries = self.failures.values().map(|(_, at)| *at);
            let wait = retries.filter_map(|at| at.duration_since(now).ok()).min();
            tokio::time::sleep(wait.map_or(LOOK_INTERVAL, |wait| wait.min(LOOK_INTERVAL))).await;
        }
    }

    fn is_due(&self, names: &[String], now: SystemTime) -> bool {
        let failed = names.first().and_then(|name| self.failures.get(name));
        if failed.is_some_and(|(_, at)| *at > now) {
            return false;
        }
        let Some(validity) = self.storage.validity(names) else { return true };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let life = validity.not_after.saturating_sub(validity.not_before);
        let before = self.acme.renew_before.as_secs().min(life / 3);
        // Many gateways that obtained theirs at once should not renew at once.
        let early = random(before / 10);
        now + before + early >= validity.not_after
    }

    async fn obtain(&self, orders: &mut Option<Orders>, names: &[String]) -> Result<(), AcmeError> {
        let orders = match orders {
            Some(orders) => orders,
            None => orders.insert(Orders::open(&self.acme, &self.storage).await?),
        };
        let obtained = orders.obtain(&self.acme, names, self.plane.as_ref()).await?;
        self.storage.store(names, &obtained.chain_pem, &obtained.key_pem)?;
        Ok(())
    }

    fn note(&mut self, names: &[String], obtained: Result<(), AcmeError>) {
        let Some(name) = names.first().cloned() else { return };
        match obtained {
            Ok(()) => {
                self.failures.remove(&name);
                (self.events)(Event::AcmeObtained { name });
            }
            Err(error) => {
                let failures = self.failures.get(&name).map_or(0, |(count, _)| *count) + 1;
                let wait = wait_after(failures, error.is_rate_limited());
                let at = SystemTime::now() + wait;
                self.failures.insert(name.clone(), (failures, at));
                let reason = error.to_string();
                (self.events)(Event::AcmeFailed { name, reason, retry_in: wait });
            }
        }
    }
}

/// Doubles with each failure, give or take a tenth.
fn wait_after(failures: u32, rate_limited: bool) -> Duration {
    let doubled = RETRY_MIN * 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    let least = if rate_limited { RATE_LIMITED_MIN } else { RETRY_MIN };
    let wait = doubled.clamp(least, RETRY_MAX);
    wait + Duration::from_secs(random(wait.as_secs() / 10))
}

/// A number from 0 to below `end`; 0 if that is 0.
fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish().checked_rem(end).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_bounded() {
        for (failures, limited, least) in
            [(1, false, 300), (2, false, 600), (1, true, 3600), (30, false, 86_400)]
        {
            let wait = wait_after(failures, limited).as_secs();
            assert!((least..=least + least / 10).contains(&wait), "{failures}: {wait}");
        }
    }
}
