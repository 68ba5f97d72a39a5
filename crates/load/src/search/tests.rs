use super::*;
use crate::{Latencies, Random};

/// A target that never was: latencies as of a queue with one server (M/M/1), with seeded noise.
struct Simulated {
    /// Requests per second that it can serve.
    capacity: f64,
    /// P99 that the objective allows, in milliseconds.
    p99_ms_max: f64,
    /// Share by which the capacity differs between trials.
    noise: f64,
    /// Rate from which on the generator is the limit.
    generator: f64,
    /// Fails from its capacity on, and is perfect below it.
    cliff: bool,
    random: Random,
}

const SAMPLES: usize = 2_000;

impl Simulated {
    fn new(capacity: f64, noise: f64) -> Self {
        Self {
            capacity,
            p99_ms_max: 50.0,
            noise,
            generator: f64::INFINITY,
            cliff: false,
            random: Random::new(42),
        }
    }

    /// By theory: P99 is `ln(100) / (capacity − rate)`.
    fn expected(&self) -> f64 {
        if self.cliff {
            self.capacity
        } else {
            self.capacity - 100f64.ln() / (self.p99_ms_max / 1_000.0)
        }
    }

    fn trial(&mut self, proposal: &Proposal) -> Observation {
        let capacity = self.capacity * (1.0 + self.noise * (2.0 * self.random.unit() - 1.0));
        let spare = capacity - proposal.rate;
        let mut latency = Latencies::default();
        for _ in 0..SAMPLES {
            let seconds = match (self.cliff, spare > 0.0) {
                (true, true) => 0.001,
                (false, true) => -(1.0 - self.random.unit()).ln() / spare,
                (_, false) => 10.0,
            };
            latency.0.saturating_record((seconds * 1e6) as u64 + 1);
        }
        let p99_ms = latency.0.value_at_quantile(0.99) as f64 / 1e3;
        let verdict = if proposal.rate >= self.generator {
            Verdict::GeneratorLimited
        } else if p99_ms < self.p99_ms_max {
            Verdict::Held
        } else {
            Verdict::NotHeld
        };
        Observation {
            verdict,
            throughput_rps: proposal.rate.min(capacity),
            error_share: 0.0,
            service: latency.clone(),
            latency,
            elapsed: proposal.duration,
        }
    }
}

fn run(
    options: SearchOptions,
    mut trial: impl FnMut(&Proposal) -> Observation,
) -> (Finding, Search) {
    let mut search = Search::new(options);
    loop {
        match search.next() {
            Step::Try(proposal) => search.record(trial(&proposal)),
            Step::Over(finding) => return (finding, search),
        }
    }
}

fn seen(verdict: Verdict) -> Observation {
    Observation {
        verdict,
        throughput_rps: 1.0,
        error_share: 0.0,
        latency: Latencies::default(),
        service: Latencies::default(),
        elapsed: Duration::from_secs(1),
    }
}

#[test]
fn the_highest_rate_is_found_within_the_precision() {
    for (capacity, noise, cliff, tolerance) in [
        (5_000.0, 0.0, true, 0.05),
        (437.0, 0.0, true, 0.05),
        (5_000.0, 0.0, false, 0.06),
        (120_000.0, 0.01, false, 0.08),
        (5_000.0, 0.03, true, 0.12),
        // Lower than the first rate.
        (20.0, 0.0, true, 0.05),
    ] {
        let mut target = Simulated { cliff, ..Simulated::new(capacity, noise) };
        let expected = target.expected();
        let (finding, search) = run(SearchOptions::default(), |proposal| target.trial(proposal));
        assert_eq!(finding.ended, Ended::Confirmed, "{capacity}: {finding:?}");
        let rate = finding.rate.unwrap();
        assert!(
            rate <= expected * (1.0 + noise + 0.02) && rate >= expected * (1.0 - tolerance),
            "{capacity}: {rate} for {expected}"
        );
        let confidence = finding.confidence.unwrap();
        assert!(confidence.held >= 4 && confidence.of == 5, "{confidence:?}");
        assert!(confidence.low > 0.37 && finding.precision.unwrap() <= 0.051, "{finding:?}");
        assert!(search.trials().len() <= 60 && finding.trials == search.trials().len());
    }
}

#[test]
fn a_search_over_a_queue_gives_the_law_of_its_scaling() {
    let mut target = Simulated::new(2_000.0, 0.0);
    let options = SearchOptions { rate_start: 50.0, ..SearchOptions::default() };
    let (_, search) = run(options, |proposal| target.trial(proposal));
    let points = curve(search.trials());
    assert!(points.windows(2).all(|pair| pair[0].rate < pair[1].rate));
    // M/M/1: X = capacity · N / (1 + N), which is the law with contention alone. Below saturation.
    let points: Vec<_> = points
        .iter()
        .filter(|point| point.rate < 1_950.0)
        .map(|point| crate::scalability::Point {
            concurrency: point.concurrency,
            throughput_rps: point.throughput_rps,
        })
        .collect();
    let fit = crate::scalability::Scalability::fit(&points).unwrap();
    assert!((fit.lambda / fit.sigma - 2_000.0).abs() < 100.0, "{fit:?}");
    assert!(fit.r_squared > 0.98, "{fit:?}");
}

#[test]
fn a_target_that_never_holds_is_told_as_such() {
    let (finding, _) = run(SearchOptions::default(), |_| seen(Verdict::NotHeld));
    assert_eq!((finding.ended, finding.rate), (Ended::NeverHeld, None));
    assert!(finding.confidence.is_none());
}

#[test]
fn a_limit_of_the_generator_is_no_capacity_of_the_target() {
    let mut target = Simulated { generator: 3_000.0, ..Simulated::new(50_000.0, 0.0) };
    let (finding, search) = run(SearchOptions::default(), |proposal| target.trial(proposal));
    assert_eq!(finding.ended, Ended::GeneratorLimited);
    let limit = finding.generator_limit.unwrap();
    assert!((3_000.0..=3_150.0).contains(&limit), "{limit}");
    assert!(finding.rate.unwrap() < 3_000.0 && finding.confidence.is_none());
    assert!(curve(search.trials()).iter().all(|point| point.rate < 3_000.0));

    // From the first rate on.
    let (finding, _) = run(SearchOptions::default(), |_| seen(Verdict::GeneratorLimited));
    assert_eq!((finding.ended, finding.rate), (Ended::GeneratorLimited, None));

    // Twice at a rate is what else the machine does.
    let mut busy = 0;
    let (finding, _) = run(SearchOptions::default(), |proposal| {
        if proposal.rate > 500.0 && busy < 2 {
            busy += 1;
            return seen(Verdict::GeneratorLimited);
        }
        seen(if proposal.rate < 5_000.0 { Verdict::Held } else { Verdict::NotHeld })
    });
    assert_eq!((finding.ended, finding.generator_limit), (Ended::Confirmed, None));

    // Above the target's own limit it does not matter.
    let mut target = Simulated { generator: 6_000.0, cliff: true, ..Simulated::new(5_000.0, 0.0) };
    let (finding, _) = run(SearchOptions::default(), |proposal| target.trial(proposal));
    assert_eq!((finding.ended, finding.generator_limit), (Ended::Confirmed, None));
}

#[test]
fn the_generator_may_become_the_limit_while_a_rate_is_confirmed() {
    let cliff = |proposal: &Proposal| {
        if proposal.rate < 1_000.0 { Verdict::Held } else { Verdict::NotHeld }
    };
    // Twice is noise, and is not counted.
    let mut hiccups = 2;
    let (finding, _) = run(SearchOptions::default(), |proposal| {
        if proposal.purpose == Purpose::Confirm && hiccups > 0 {
            hiccups -= 1;
            return seen(Verdict::GeneratorLimited);
        }
        seen(cliff(proposal))
    });
    assert_eq!(finding.ended, Ended::Confirmed);
    assert_eq!(finding.confidence.map(|found| (found.held, found.of)), Some((5, 5)));

    let (finding, _) = run(SearchOptions::default(), |proposal| {
        seen(match proposal.purpose {
            Purpose::Confirm => Verdict::GeneratorLimited,
            _ => cliff(proposal),
        })
    });
    assert_eq!(finding.ended, Ended::GeneratorLimited);
}

#[test]
fn one_bad_trial_is_repeated_before_it_counts() {
    let mut hiccup = true;
    let (finding, search) = run(SearchOptions::default(), |proposal| {
        if proposal.rate > 300.0 && proposal.purpose == Purpose::Grow && hiccup {
            hiccup = false;
            return seen(Verdict::NotHeld);
        }
        seen(if proposal.rate < 10_000.0 { Verdict::Held } else { Verdict::NotHeld })
    });
    assert!(finding.rate.unwrap() > 9_500.0, "{finding:?}");
    let repeats =
        search.trials().iter().filter(|trial| trial.proposal.purpose == Purpose::Repeat).count();
    assert!(repeats >= 2, "{repeats}");
}

#[test]
fn a_rate_that_is_not_confirmed_steps_down() {
    // In the search it holds up to 1,000; again and again only up to 900.
    let (finding, _) = run(SearchOptions::default(), |proposal| {
        let limit = if proposal.purpose == Purpose::Confirm { 900.0 } else { 1_000.0 };
        seen(if proposal.rate <= limit { Verdict::Held } else { Verdict::NotHeld })
    });
    assert_eq!(finding.ended, Ended::Confirmed);
    let rate = finding.rate.unwrap();
    assert!((850.0..=900.0).contains(&rate), "{rate}");
    assert!((finding.precision.unwrap() - 0.05).abs() < 1e-9, "{finding:?}");
}

#[test]
fn trials_and_time_are_bounded() {
    let few = SearchOptions { trials_max: 6, ..SearchOptions::default() };
    let held = |_: &Proposal| seen(Verdict::Held);
    let (finding, _) = run(few, held);
    assert_eq!((finding.ended, finding.trials), (Ended::OutOfTrials, 6));
    assert_eq!(finding.rate, Some(3_200.0));
    assert!(finding.confidence.is_none());

    let short = SearchOptions { time_max: Duration::from_secs(3), ..SearchOptions::default() };
    let (finding, _) = run(short, held);
    assert_eq!((finding.ended, finding.trials), (Ended::OutOfTime, 3));

    // The highest rate that is allowed is confirmed like any other.
    let low = SearchOptions { rate_max: 1_000.0, ..SearchOptions::default() };
    let (finding, _) = run(low, held);
    assert_eq!((finding.ended, finding.rate), (Ended::Confirmed, Some(1_000.0)));
    assert_eq!(finding.precision, None);

    let mut search = Search::new(SearchOptions::default());
    search.record(seen(Verdict::Held));
    search.interrupt();
    search.record(seen(Verdict::Held));
    let Step::Over(finding) = search.next() else { panic!("goes on") };
    assert_eq!((finding.ended, finding.rate), (Ended::Interrupted, Some(100.0)));
}

#[test]
fn options_out_of_range_are_moved_into_it() {
    let odd = SearchOptions {
        rate_start: -5.0,
        rate_min: 0.0,
        rate_max: -1.0,
        growth: 0.5,
        precision: 0.0,
        confirmations: 0,
        confirmations_needed: 9,
        ..SearchOptions::default()
    };
    let (finding, search) = run(odd, |_| seen(Verdict::NotHeld));
    assert_eq!(finding.ended, Ended::NeverHeld);
    assert!(search.options().confirmations_needed == 1 && search.options().growth > 1.0);
}
