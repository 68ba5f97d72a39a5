//! How the endpoints of a cluster are chosen: algorithms, affinity, zones, subsets.

use std::collections::BTreeMap;
use std::time::Duration;

/// Balancing algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Power of two choices by requests in flight.
    #[default]
    LeastRequest,
    /// In turn, by weight.
    RoundRobin,
    /// At random, by weight.
    Random,
    /// Power of two choices by latency and requests in flight.
    PeakEwma,
    /// Hash ring.
    RingHash(RingHash),
    /// Maglev table.
    Maglev(Maglev),
}

impl Balance {
    /// Whether it goes by a hash of the request.
    pub const fn by_hash(self) -> bool {
        matches!(self, Self::RingHash(_) | Self::Maglev(_))
    }
}

/// A hash ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingHash {
    /// Points at least, over all endpoints. Default 1,024.
    pub size_min: u32,
    /// Points at most. Default 8,388,608.
    pub size_max: u32,
    /// Bound of an endpoint's load in percent of the average; `None`: none.
    pub load_max_percent: Option<u32>,
}

impl Default for RingHash {
    fn default() -> Self {
        Self { size_min: 1_024, size_max: 8_388_608, load_max_percent: None }
    }
}

/// A Maglev table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maglev {
    /// Entries; prime. Default 65,537.
    pub table_size: u32,
    /// Bound of an endpoint's load in percent of the average; `None`: none.
    pub load_max_percent: Option<u32>,
}

impl Default for Maglev {
    fn default() -> Self {
        Self { table_size: 65_537, load_max_percent: None }
    }
}

/// What of a request is hashed, so that equal ones go to the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashSource {
    /// Value of a request header; the name is in lower case.
    Header(String),
    /// Value of a cookie, which is set if the client sends none.
    Cookie(AffinityCookie),
    /// The client's IP address.
    SourceIp,
    /// Value of a query parameter.
    QueryParam(String),
}

/// A cookie that names no endpoint: its value is a random number, which is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffinityCookie {
    /// Its name.
    pub name: String,
    /// How long clients keep it; `None`: as long as they run.
    pub ttl: Option<Duration>,
    /// Path that it is for. Default `/`.
    pub path: String,
}

/// Which zones and priorities are used first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locality {
    /// The gateway's own zone comes before others. Default false.
    pub prefer_local: bool,
    /// Only if so many endpoints are in it. Default 1.
    pub local_endpoints_min: u32,
    /// How much more than its share a zone or priority can carry, in percent. Default 140.
    pub overprovisioning_percent: u32,
    /// Requests in flight at an endpoint, per worker, beyond which the next zone or priority is used;
    /// `None`: never. Default: never.
    pub spill_over_requests: Option<u32>,
}

impl Default for Locality {
    fn default() -> Self {
        Self {
            prefer_local: false,
            local_endpoints_min: 1,
            overprovisioning_percent: 140,
            spill_over_requests: None,
        }
    }
}

/// The endpoints of a cluster that have all of these labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// Never empty.
    pub labels: BTreeMap<String, String>,
    /// Any endpoint of the cluster if there is none with these labels. Default false: no endpoint.
    pub fall_back: bool,
}
