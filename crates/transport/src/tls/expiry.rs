//! Certificates of endpoints that count as expired, for a while and on purpose: the time by which they are
//! judged lies behind the end of any.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The year 10000: no certificate can be valid then (RFC 5280 §4.1.2.5).
const BEHIND_ALL: Duration = Duration::from_secs(253_402_300_800);

/// What counts as expired now; nothing costs one relaxed load for each look at the time. Clones are the
/// same.
#[derive(Clone, Debug, Default)]
pub struct CertificateExpiry(Arc<Faults>);

#[derive(Debug, Default)]
struct Faults {
    any: AtomicBool,
    list: Mutex<Vec<Fault>>,
}

/// A wish for expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    owner: Option<String>,
    /// Since 1970.
    until: Duration,
}

impl CertificateExpiry {
    /// Certificates that `owner` looks at (`None`: anybody) count as expired until so long after 1970, to
    /// the second. Whoever calls may end it more precisely, with [`Self::end`].
    pub fn begin(&self, owner: Option<&str>, until: Duration) {
        self.change(|list| list.push(Fault { owner: owner.map(str::to_owned), until }));
    }

    /// Takes back what [`Self::begin`] was told.
    pub fn end(&self, owner: Option<&str>, until: Duration) {
        self.change(|list| {
            let is_it = |fault: &Fault| fault.owner.as_deref() == owner && fault.until == until;
            if let Some(place) = list.iter().position(is_it) {
                list.swap_remove(place);
            }
        });
    }

    /// The time by which `owner` judges certificates.
    pub(super) fn clock(&self, owner: String) -> Arc<dyn TimeProvider> {
        Arc::new(Clock { expiry: self.clone(), owner })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Fault>)) {
        let mut list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut list);
        self.0.any.store(!list.is_empty(), Ordering::Relaxed);
    }

    fn strikes(&self, owner: &str, now: UnixTime) -> bool {
        if !self.0.any.load(Ordering::Relaxed) {
            return false;
        }
        let now = Duration::from_secs(now.as_secs());
        let list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().any(|fault| {
            fault.until > now && fault.owner.as_deref().is_none_or(|name| name == owner)
        })
    }
}

#[derive(Debug)]
struct Clock {
    expiry: CertificateExpiry,
    owner: String,
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let (now, behind_all) = (UnixTime::now(), UnixTime::since_unix_epoch(BEHIND_ALL));
        Some(if self.expiry.strikes(&self.owner, now) { behind_all } else { now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_behind_all_until_it_is_taken_back_or_over() {
        let expiry = CertificateExpiry::default();
        let [users, orders] = ["users", "orders"].map(|owner| expiry.clock(owner.to_owned()));
        let behind = |clock: &Arc<dyn TimeProvider>| {
            clock.current_time().map(|time| time.as_secs()) == Some(BEHIND_ALL.as_secs())
        };
        let now = Duration::from_secs(UnixTime::now().as_secs());
        let later = now + Duration::from_secs(3_600);
        assert!(!behind(&users));
        expiry.begin(Some("users"), later);
        assert!(behind(&users) && !behind(&orders));
        expiry.begin(None, later);
        assert!(behind(&users) && behind(&orders));
        expiry.end(Some("users"), later);
        expiry.end(None, later);
        assert!(!behind(&users) && !behind(&orders));
        expiry.begin(None, now);
        assert!(!behind(&users));
    }
}
