//! What latency a lossy link alone costs, computed: a percentile below which no gateway can come.
//!
//! A request is one packet, its answer another, on a connection that is up. Each is lost with the
//! link's chance until it passes; each passage towards the server draws a delay. Two ways in which TCP
//! may notice a loss bound what is to be seen:
//!
//! - *quickest*: other packets follow at once, so that each loss costs one more round trip (RFC 8985).
//!   Nothing that speaks TCP can be faster: it is the floor.
//! - *by time-out*: nothing follows, so that each loss waits for the retransmission time-out, which
//!   doubles (RFC 6298, with the least variance term of Linux, 200 ms).
//!
//! See `docs/prove.md`. Losses of connection set-ups and answers of many packets come on top.

use serde::Serialize;

use super::weather::{Weather, milliseconds};

/// Width of a step of the distributions.
const STEP_MS: f64 = 0.5;
/// Least that Linux adds to the mean round trip (`TCP_RTO_MIN`).
const RTO_VARIANCE_MIN_MS: f64 = 200.0;
/// Losses in a row beyond which nothing is reckoned: at 50 % fewer than one in 4,000.
const LOSSES_MAX: usize = 12;

/// Computed percentiles of a request's latency, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Floor {
    /// Half of the requests, at the quickest.
    pub(crate) p50_ms: f64,
    /// 99 % of the requests, at the quickest: no gateway can do better.
    pub(crate) p99_ms: f64,
    /// 99 % of the requests, if each loss waits for its time-out.
    pub(crate) p99_by_time_out_ms: f64,
    /// The first time-out.
    pub(crate) time_out_ms: f64,
}

impl Floor {
    /// Of a link.
    pub(crate) fn of(weather: &Weather) -> Self {
        let quickest = quickest(weather);
        Self {
            p50_ms: quantile(&quickest, 0.5),
            p99_ms: quantile(&quickest, 0.99),
            p99_by_time_out_ms: quantile(&by_time_out(weather), 0.99),
            time_out_ms: time_out_ms(weather),
        }
    }
}

/// Mean round trip, and four mean deviations of it or their least.
fn time_out_ms(weather: &Weather) -> f64 {
    let deviation = milliseconds(weather.jitter) / 2.0;
    milliseconds(weather.delay) + (4.0 * deviation).max(RTO_VARIANCE_MIN_MS)
}

/// Chances of the delays of one passage, by steps.
fn passage(weather: &Weather) -> Vec<f64> {
    let low = milliseconds(weather.delay.saturating_sub(weather.jitter));
    let high = milliseconds(weather.delay + weather.jitter);
    let (first, last) = ((low / STEP_MS).round() as usize, (high / STEP_MS).round() as usize);
    let mut chances = vec![0.0; last + 1];
    let each = 1.0 / (last - first + 1) as f64;
    chances[first..].fill(each);
    chances
}

/// Each of the losses, of request and answer together, costs one more passage.
fn quickest(weather: &Weather) -> Vec<f64> {
    let (loss, passage) = (weather.loss(), passage(weather));
    let mut sum = passage.clone();
    let mut all = Vec::new();
    for losses in 0..=2 * LOSSES_MAX {
        // Negative binomial: (n + 1) ways to share n losses between two packets.
        let chance = (losses + 1) as f64 * (1.0 - loss).powi(2) * loss.powi(losses as i32);
        add(&mut all, &sum, 0, chance);
        sum = convolve(&sum, &passage);
    }
    all
}

/// Each packet has a time-out of its own, which doubles with each loss in a row.
fn by_time_out(weather: &Weather) -> Vec<f64> {
    let (loss, passage, time_out) = (weather.loss(), passage(weather), time_out_ms(weather));
    let chance = |losses: usize| (1.0 - loss) * loss.powi(losses as i32);
    let wait = |losses: usize| time_out * (2f64.powi(losses as i32) - 1.0);
    let mut all = Vec::new();
    for request in 0..=LOSSES_MAX {
        for answer in 0..=LOSSES_MAX {
            let waited = ((wait(request) + wait(answer)) / STEP_MS).round() as usize;
            add(&mut all, &passage, waited, chance(request) * chance(answer));
        }
    }
    all
}

fn add(all: &mut Vec<f64>, part: &[f64], shift: usize, weight: f64) {
    // Beyond the percentiles that are asked for; a double time-out of many losses is hours.
    if weight < 1e-9 {
        return;
    }
    all.resize(all.len().max(shift + part.len()), 0.0);
    for (place, chance) in part.iter().enumerate() {
        all[shift + place] += weight * chance;
    }
}

fn convolve(one: &[f64], other: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; one.len() + other.len() - 1];
    for (place, chance) in one.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
        for (further, other) in other.iter().enumerate() {
            sum[place + further] += chance * other;
        }
    }
    sum
}

fn quantile(chances: &[f64], share: f64) -> f64 {
    let mut below = 0.0;
    let place = chances.iter().position(|chance| {
        below += chance;
        below >= share
    });
    place.unwrap_or(chances.len()) as f64 * STEP_MS
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_chaos::Random;

    use super::*;
    use crate::prove::weather::Place;

    const ROUNDS: usize = 400_000;

    /// Packet by packet, as the module says it happens.
    fn simulated(weather: &Weather, time_outs: bool) -> f64 {
        let mut random = Random::new(11);
        let (low, width) =
            (milliseconds(weather.delay - weather.jitter), 2.0 * milliseconds(weather.jitter));
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let mut time = 0.0;
                for _packet in ["request", "answer"] {
                    let mut time_out = time_out_ms(weather);
                    while random.unit() < weather.loss() {
                        time += if time_outs { time_out } else { low + width * random.unit() };
                        time_out *= 2.0;
                    }
                }
                time + low + width * random.unit()
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        times[ROUNDS * 99 / 100]
    }

    #[test]
    fn the_model_agrees_with_a_simulation() {
        let article = Weather::at(Place::Client);
        let light =
            Weather { loss_percent: 2.0, jitter: Duration::from_millis(5), ..article.clone() };
        for weather in [article, light] {
            let floor = Floor::of(&weather);
            for (computed, time_outs) in [(floor.p99_ms, false), (floor.p99_by_time_out_ms, true)] {
                let simulated = simulated(&weather, time_outs);
                let apart = (computed - simulated).abs() / simulated;
                assert!(apart < 0.02, "{computed} {simulated} {weather:?}");
            }
        }
    }

    #[test]
    fn a_link_without_loss_costs_its_delay() {
        let weather =
            Weather { loss_percent: 0.0, jitter: Duration::ZERO, ..Weather::at(Place::Client) };
        let floor = Floor::of(&weather);
        assert_eq!((floor.p50_ms, floor.p99_ms, floor.p99_by_time_out_ms), (40.0, 40.0, 40.0));
        assert_eq!(floor.time_out_ms, 240.0);
    }
}
