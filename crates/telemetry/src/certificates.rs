//! When certificates end.

use std::collections::BTreeMap;

use crate::exposition::{Exposition, Kind};

/// Certificates that have a series of their own: those that end first.
pub const CERTIFICATES_TOLD: usize = 20;
/// Bytes of a name in a label.
const NAME_BYTES_MAX: usize = 253;

/// What there is to tell of the certificates in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Those that end first, with the last second of their validity since 1970. No more than
    /// [`CERTIFICATES_TOLD`] are told; of those with one name the first to end.
    pub soonest: Vec<(String, u64)>,
    /// How many there are.
    pub total: usize,
    /// Files that could not be used.
    pub problems: usize,
}

impl CertificateFacts {
    pub(crate) fn render(&self, out: &mut Exposition) {
        for (family, help, value) in [
            ("bulkhead_certificates", "Certificates loaded.", self.total),
            (
                "bulkhead_certificate_problems",
                "Certificates whose files could not be used at the last look.",
                self.problems,
            ),
        ] {
            out.family(family, Kind::Gauge, help);
            out.sample(&[], value);
        }
        let Some(first) = self.soonest.iter().map(|(_, end)| *end).min() else { return };
        out.family(
            "bulkhead_certificate_not_after_min_seconds",
            Kind::Gauge,
            "End of the certificate that ends first, in seconds since 1970.",
        );
        out.sample(&[], first);
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, end) in self.soonest.iter().take(CERTIFICATES_TOLD) {
            let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
            by_name.entry(name).and_modify(|least| *least = (*least).min(*end)).or_insert(*end);
        }
        out.family(
            "bulkhead_certificate_not_after_seconds",
            Kind::Gauge,
            "End of the certificates that end first, in seconds since 1970.",
        );
        for (name, end) in by_name {
            out.sample(&[("certificate", name)], end);
        }
    }
}
