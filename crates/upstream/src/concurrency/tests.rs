//! Against a simulated service: so many slots, each busy for the service time, a queue without end
//! before them, and nothing that is cancelled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::Rng;

const SLOTS: usize = 16;
const SERVICE_MICROS: u64 = 10_000;
/// Answers a second, at most.
const CAPACITY: f64 = SLOTS as f64 * 1e6 / SERVICE_MICROS as f64;
/// Whoever has waited longer has gone.
const PATIENCE_MICROS: u64 = 100_000;

fn settings() -> ConcurrencySettings {
    ConcurrencySettings {
        initial: 100,
        min: 2,
        max: 1_000,
        tolerance_percent: 25,
        window: Duration::from_millis(100),
        probe_interval: Duration::from_secs(30),
    }
}

/// What came of `seconds` of offers, the first fifth of the time not counted.
#[derive(Debug)]
struct Outcome {
    /// Answers that came in time, per second.
    goodput: f64,
    shed_share: f64,
    limit: u32,
}

struct Simulation {
    limit: Option<ConcurrencyLimit>,
    service_micros: u64,
    rng: Rng,
    free_at: [u64; SLOTS],
    /// End and begin of what is under way.
    under_way: BinaryHeap<Reverse<(u64, u64)>>,
    at: u64,
}

impl Simulation {
    fn new(limit: Option<ConcurrencyLimit>) -> Self {
        Self {
            limit,
            service_micros: SERVICE_MICROS,
            rng: Rng::new(7),
            free_at: [0; SLOTS],
            under_way: BinaryHeap::new(),
            at: 0,
        }
    }

    /// Offers `rate` requests a second, at random times.
    fn run(&mut self, epoch: Instant, rate: f64, seconds: u64) -> Outcome {
        let (begin, end) = (self.at, self.at + seconds * 1_000_000);
        let counted_from = begin + seconds * 200_000;
        let (mut good, mut offered, mut shed) = (0u64, 0u64, 0u64);
        while self.at < end {
            let uniform = (self.rng.next() >> 11) as f64 / (1u64 << 53) as f64;
            self.at += ((-(1.0 - uniform).ln() / rate) * 1e6) as u64;
            while let Some(&Reverse((ended, begun))) = self.under_way.peek()
                && ended <= self.at
            {
                self.under_way.pop();
                let micros = ended - begun;
                if let Some(limit) = &mut self.limit {
                    limit.answered(
                        epoch + Duration::from_micros(ended),
                        Duration::from_micros(micros),
                    );
                }
                good += u64::from(micros <= PATIENCE_MICROS && begun >= counted_from);
            }
            let counted = u64::from(self.at >= counted_from);
            offered += counted;
            if self.limit.as_ref().is_some_and(|limit| !limit.admits(Priority::Default)) {
                shed += counted;
                continue;
            }
            if let Some(limit) = &mut self.limit {
                limit.started();
            }
            // Between half and one and a half times the service time.
            let work = self.service_micros / 2 + self.rng.below(self.service_micros);
            let slot = self.free_at.iter_mut().min().expect("there are slots");
            *slot = (*slot).max(self.at) + work;
            self.under_way.push(Reverse((*slot, self.at)));
        }
        Outcome {
            goodput: good as f64 * 1e6 / (end - counted_from) as f64,
            shed_share: shed as f64 / offered as f64,
            limit: self.limit.as_ref().map_or(0, ConcurrencyLimit::limit),
        }
    }
}

#[test]
fn goodput_stays_near_the_peak_under_overload() {
    for load in [2.0, 5.0] {
        let mut with = Simulation::new(Some(ConcurrencyLimit::new(settings())));
        let with = with.run(Instant::now(), CAPACITY * load, 60);
        assert!(with.goodput >= 0.9 * CAPACITY, "{load} × capacity: {with:?}");
        assert!((SLOTS as u32..8 * SLOTS as u32).contains(&with.limit), "{with:?}");
        let without = Simulation::new(None).run(Instant::now(), CAPACITY * load, 60);
        assert!(without.goodput < 0.1 * CAPACITY, "the test must show something: {without:?}");
    }
}

#[test]
fn nothing_is_shed_below_the_capacity() {
    for load in [0.1, 0.5, 0.8] {
        let mut simulation = Simulation::new(Some(ConcurrencyLimit::new(settings())));
        let outcome = simulation.run(Instant::now(), CAPACITY * load, 120);
        assert!(outcome.shed_share < 0.01, "{load} × capacity: {outcome:?}");
        assert!(outcome.goodput >= 0.98 * CAPACITY * load, "{load} × capacity: {outcome:?}");
    }
}

#[test]
fn a_service_that_becomes_slower_gets_a_new_baseline() {
    let epoch = Instant::now();
    let mut simulation = Simulation::new(Some(ConcurrencyLimit::new(settings())));
    simulation.run(epoch, CAPACITY * 0.7, 60);
    simulation.service_micros = 3 * SERVICE_MICROS;
    simulation.run(epoch, CAPACITY * 0.2, 60);
    let later = simulation.run(epoch, CAPACITY * 0.2, 60);
    assert!(later.shed_share < 0.01, "{later:?}");
}

#[test]
fn it_comes_back_after_an_overload() {
    let epoch = Instant::now();
    let mut simulation = Simulation::new(Some(ConcurrencyLimit::new(settings())));
    simulation.run(epoch, CAPACITY * 5.0, 60);
    let later = simulation.run(epoch, CAPACITY * 0.8, 60);
    assert!(later.shed_share < 0.01, "{later:?}");
}

#[test]
fn priorities_are_shed_in_their_order() {
    let mut limit = ConcurrencyLimit::new(ConcurrencySettings { initial: 10, ..settings() });
    let mut admitted = [0; 3];
    let order = [Priority::Sheddable, Priority::Default, Priority::Critical];
    for (count, priority) in admitted.iter_mut().zip(order) {
        while limit.admits(priority) {
            limit.started();
            *count += 1;
        }
    }
    // 80 % of the limit, the rest of it, and a tenth and one above.
    assert_eq!(admitted, [8, 2, 2]);
}

#[test]
fn even_the_least_limit_lets_one_through() {
    let mut limit =
        ConcurrencyLimit::new(ConcurrencySettings { initial: 0, min: 0, max: 0, ..settings() });
    assert!(limit.admits(Priority::Sheddable));
    limit.started();
    assert!(!limit.admits(Priority::Default));
    limit.abandoned();
    assert!(limit.admits(Priority::Default));
}

#[test]
fn attempts_without_an_answer_lower_the_limit() {
    let mut limit = ConcurrencyLimit::new(settings());
    let mut now = Instant::now();
    for _ in 0..2_000 {
        while limit.admits(Priority::Default) {
            limit.started();
        }
        now += Duration::from_millis(5);
        // As fast as ever, but every second one is refused.
        if limit.waiting().is_multiple_of(2) {
            limit.failed(now, Duration::from_millis(1));
        } else {
            limit.answered(now, Duration::from_millis(1));
        }
        limit.abandoned();
    }
    assert!(limit.limit() < 50, "{limit:?}");
}
