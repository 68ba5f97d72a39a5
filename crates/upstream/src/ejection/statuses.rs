//! A set of statuses from 500 to 599.

/// First status that may be in a set.
const FIRST: u16 = 500;

/// Statuses of 5xx, as a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerErrors(u128);

impl ServerErrors {
    /// What gateways say of the servers behind them: 502, 503 and 504.
    pub const OF_GATEWAYS: Self = Self(0b1_1100);

    /// Whether a status is in the set.
    pub const fn contains(self, status: u16) -> bool {
        match status {
            FIRST..=599 => self.0 >> (status - FIRST) & 1 == 1,
            _ => false,
        }
    }
}

impl FromIterator<u16> for ServerErrors {
    /// Statuses outside 5xx are left out.
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let inside = statuses.into_iter().filter(|status| (FIRST..=599).contains(status));
        Self(inside.fold(0, |set, status| set | 1 << (status - FIRST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set: ServerErrors = [500, 599, 502, 404, 600].into_iter().collect();
        let held: Vec<u16> = (0..=u16::MAX).filter(|&status| set.contains(status)).collect();
        assert_eq!(held, [500, 502, 599]);
        let gateways: ServerErrors = [502, 503, 504].into_iter().collect();
        assert_eq!(gateways, ServerErrors::OF_GATEWAYS);
        assert_eq!(ServerErrors::from_iter([]), ServerErrors::default());
    }
}
