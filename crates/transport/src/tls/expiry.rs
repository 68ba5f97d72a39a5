//! Certificates that are expired for a while and on purpose: those that we judge ([`judged`]), and those that
//! we show ([`shown`]).

pub(super) mod judged;
pub(super) mod shown;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::UnixTime;

/// What is expired now; nothing costs one relaxed load for each look. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CertificateExpiry(Arc<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    any: AtomicBool,
    list: Mutex<Vec<Arc<Expired>>>,
}

/// A wish for expired certificates, in force from [`CertificateExpiry::begin`] on.
#[derive(Debug)]
pub struct Expired {
    name: Option<String>,
    since: Duration,
    until: Duration,
    met: AtomicU64,
}

impl Expired {
    /// Certificates that go with `name`: the cluster that judges them, the name that a client asks for in
    /// lower case; `None`: all. From `since` to `until` after 1970, to the second; whoever calls may end it
    /// more precisely.
    pub fn new(name: Option<&str>, since: Duration, until: Duration) -> Self {
        Self { name: name.map(str::to_owned), since, until, met: AtomicU64::new(0) }
    }

    /// How many handshakes have met it.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    fn meet(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }
}

impl CertificateExpiry {
    /// From now on.
    pub fn begin(&self, wish: &Arc<Expired>) {
        self.change(|list| list.push(Arc::clone(wish)));
    }

    /// Takes back what [`Self::begin`] was told.
    pub fn end(&self, wish: &Arc<Expired>) {
        self.change(|list| list.retain(|other| !Arc::ptr_eq(other, wish)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Expired>>)) {
        let mut list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut list);
        self.0.any.store(!list.is_empty(), Ordering::Relaxed);
    }

    /// Whether anything is expired now, whatever its name.
    fn is_on(&self) -> bool {
        self.find(|_| true).is_some()
    }

    /// The wish that strikes this name now.
    fn striking(&self, name: Option<&str>) -> Option<Arc<Expired>> {
        self.find(|wish| wish.name.as_deref().is_none_or(|wanted| name == Some(wanted)))
    }

    fn find(&self, is_it: impl Fn(&Expired) -> bool) -> Option<Arc<Expired>> {
        if !self.0.any.load(Ordering::Relaxed) {
            return None;
        }
        let now = Duration::from_secs(UnixTime::now().as_secs());
        let list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|wish| wish.until > now && is_it(wish)).cloned()
    }
}

#[cfg(test)]
mod tests;
