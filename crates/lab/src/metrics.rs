//! Metrics of gateways, read from their admin servers for abort conditions.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::metric_sum;

use crate::admin::Admin;

/// For the whole of one look at one server. Shorter than the interval of looks, so that servers that
/// hang do not delay the next one.
const READ_TIMEOUT: Duration = Duration::from_millis(200);
/// Servers that are read at the same time: as many as one order can name. More that hang, all in the
/// same look, make it longer.
const READERS_MAX: usize = bulkhead_chaos::ABORT_MAX;

/// The series of one page.
#[derive(Debug, Default)]
pub(crate) struct Metrics(String);

/// Pages that were read in one look, each once; nothing for a server that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Pages(HashMap<SocketAddr, Option<Metrics>>);

impl Pages {
    /// Reads the pages of these servers at the same time, so that none waits for one that hangs.
    pub(crate) fn read(admins: impl Iterator<Item = SocketAddr>) -> Self {
        Self::read_within(READ_TIMEOUT, admins)
    }

    /// As [`Self::read`], with a timeout for each server.
    pub(crate) fn read_within(timeout: Duration, admins: impl Iterator<Item = SocketAddr>) -> Self {
        let admins: BTreeSet<_> = admins.collect();
        let readers = admins.len().min(READERS_MAX);
        let left = Mutex::new(admins.into_iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let read = || -> Vec<_> {
            std::iter::from_fn(next)
                .map(|admin| (admin, fetch(admin, timeout).map(Metrics)))
                .collect()
        };
        thread::scope(|scope| {
            // Where there are no threads to be had, those that there are read more.
            let start = |_| thread::Builder::new().spawn_scoped(scope, read).ok();
            let others: Vec<_> = (1..readers).filter_map(start).collect();
            let mut pages: HashMap<_, _> = read().into_iter().collect();
            for other in others {
                pages.extend(other.join().unwrap_or_default());
            }
            Self(pages)
        })
    }

    /// The page of this server; nothing if it could not be read.
    pub(crate) fn of(&self, admin: SocketAddr) -> Option<&Metrics> {
        self.0.get(&admin)?.as_ref()
    }
}

fn fetch(address: SocketAddr, timeout: Duration) -> Option<String> {
    let admin = Admin::new(address, Instant::now() + timeout);
    // HTTP/1.0, so that the answer is neither chunked nor kept open.
    let question = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let answer = String::from_utf8(admin.converse(question.as_bytes()).ok()?).ok()?;
    let (head, page) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then(|| page.to_owned())
}

impl Metrics {
    /// As [`metric_sum`].
    pub(crate) fn sum(&self, wanted: &str) -> Option<f64> {
        metric_sum(&self.0, wanted)
    }
}

#[cfg(test)]
mod tests;
