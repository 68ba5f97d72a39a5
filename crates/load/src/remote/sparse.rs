//! Histograms as JSON: pairs of value and count, for the values that occur. Nothing is lost, as both
//! sides have the same buckets.

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::tally::histogram;

/// Writes the values that occur.
pub(crate) fn serialize<S: Serializer>(
    histogram: &Histogram<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let recorded = histogram.iter_recorded();
    serializer
        .collect_seq(recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())))
}

/// Reads them into the buckets that all histograms of this crate have.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Histogram<u64>, D::Error> {
    let pairs: Vec<(u64, u64)> = Vec::deserialize(deserializer)?;
    let mut histogram = histogram();
    for (value, count) in pairs {
        histogram
            .record_n(value, count)
            .map_err(|_| D::Error::custom("a value beyond the histogram's buckets"))?;
    }
    Ok(histogram)
}
