//! A part of a cluster, by the labels of its endpoints.

use crate::balance::stable_hash;
use crate::endpoint::{Endpoint, Labels};

/// What is done if no endpoint is of a subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubsetFallback {
    /// There is no endpoint then.
    #[default]
    None,
    /// Any endpoint of the cluster.
    Any,
}

/// The endpoints that have all of these labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    labels: Labels,
    pub(super) fallback: SubsetFallback,
    /// Of the labels, so that telling subsets apart is mostly one comparison.
    hash: u64,
}

impl Subset {
    /// The endpoints that have all `labels`.
    pub fn new(labels: Labels, fallback: SubsetFallback) -> Self {
        let mut text = String::new();
        for (name, value) in &labels {
            text.extend([name, "\0", value, "\0"]);
        }
        Self { labels, fallback, hash: stable_hash(text.as_bytes()) }
    }

    /// Whether both are of the same endpoints.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.hash == other.hash && self.labels == other.labels
    }

    pub(super) fn has(&self, endpoint: &Endpoint) -> bool {
        self.labels.iter().all(|(name, value)| {
            endpoint.labels.as_ref().and_then(|labels| labels.get(name)) == Some(value)
        })
    }
}
