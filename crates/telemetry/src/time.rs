//! Points in time as text.

use std::fmt;
use std::time::Duration;

use bulkhead_message::CivilTime;

/// A point in time, given since 1970 in UTC, that displays as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rfc3339(pub Duration);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = CivilTime::from_unix(self.0.as_secs());
        write!(formatter, "{}.{:03}Z", second.iso(), self.0.subsec_millis())
    }
}

#[cfg(test)]
mod tests;
