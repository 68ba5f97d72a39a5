//! Which endpoints did worse in an interval than they should.

/// Ejection of endpoints whose success rate is far below the mean: lower than `mean − factor × stdev`
/// over all endpoints that count, as Envoy has it. Beyond that the distance must be more than chance
/// explains (five standard errors), so that of endpoints that are equally bad none is ejected for its
/// bad luck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// Fewer endpoints that count are not compared.
    pub minimum_endpoints: u32,
    /// An endpoint with fewer requests in the interval does not count; 0 counts as 1.
    pub minimum_requests: u32,
    /// Standard deviations below the mean.
    pub stdev_factor: f64,
}

/// Ejection of endpoints whose share of failures is too high, whatever that of the others is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// Share of failures that ejects, in percent.
    pub threshold: u32,
    /// With fewer endpoints that count none is ejected.
    pub minimum_endpoints: u32,
    /// An endpoint with fewer requests in the interval does not count; 0 counts as 1.
    pub minimum_requests: u32,
}

/// Standard errors that chance is trusted with.
const CHANCE: f64 = 5.0;

/// What one endpoint answered in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) requests: u32,
    pub(crate) successes: u32,
}

impl Tally {
    pub(crate) const fn count(&mut self, success: bool) {
        self.requests = self.requests.saturating_add(1);
        self.successes = self.successes.saturating_add(success as u32);
    }

    fn rate(self) -> f64 {
        f64::from(self.successes) / f64::from(self.requests.max(1))
    }

    const fn is_enough(self, minimum: u32) -> bool {
        self.requests > 0 && self.requests >= minimum
    }
}

/// The endpoints to eject, worst first.
pub(crate) fn outliers<I: Copy>(
    tallies: &[(I, Tally)],
    success_rate: Option<&SuccessRate>,
    failure_percentage: Option<&FailurePercentage>,
) -> Vec<I> {
    let mut worst: Vec<(I, Tally)> = tallies.to_vec();
    worst.sort_by(|(_, one), (_, other)| one.rate().total_cmp(&other.rate()));
    let by_rate = success_rate.and_then(|settings| rate_limit(tallies, settings));
    let by_share = failure_percentage.filter(|settings| {
        let count = tallies.iter().filter(|(_, t)| t.is_enough(settings.minimum_requests)).count();
        count >= settings.minimum_endpoints.max(1) as usize
    });
    let is_outlier = |tally: &Tally| {
        by_rate.is_some_and(|limit| limit.excludes(*tally))
            || by_share.is_some_and(|settings| {
                tally.is_enough(settings.minimum_requests)
                    && u64::from(tally.requests - tally.successes) * 100
                        >= u64::from(tally.requests) * u64::from(settings.threshold)
            })
    };
    worst.iter().filter(|(_, tally)| is_outlier(tally)).map(|(id, _)| *id).collect()
}

/// What a success rate is compared with.
#[derive(Clone, Copy, Debug)]
struct RateLimit {
    mean: f64,
    limit: f64,
    minimum_requests: u32,
}

impl RateLimit {
    fn excludes(self, tally: Tally) -> bool {
        let standard_error = (self.mean * (1.0 - self.mean) / f64::from(tally.requests)).sqrt();
        tally.is_enough(self.minimum_requests)
            && tally.rate() < self.limit
            && self.mean - tally.rate() > CHANCE * standard_error
    }
}

fn rate_limit<I>(tallies: &[(I, Tally)], settings: &SuccessRate) -> Option<RateLimit> {
    let counted = tallies.iter().map(|(_, tally)| *tally);
    let rates: Vec<f64> = counted
        .filter(|tally| tally.is_enough(settings.minimum_requests))
        .map(Tally::rate)
        .collect();
    if rates.is_empty() || rates.len() < settings.minimum_endpoints as usize {
        return None;
    }
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    let limit = mean - settings.stdev_factor * variance.sqrt();
    Some(RateLimit { mean, limit, minimum_requests: settings.minimum_requests })
}

#[cfg(test)]
mod tests;
