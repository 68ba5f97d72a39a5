//! Whether what comes out of a link is what was asked for: 100,000 packets for each fault, each stamped
//! where it is sent and where it arrives, by sockets that know nothing of the box.

use std::time::Duration;

use bulkhead_testkit::{largest_distance, normal_within_three, pareto_within_twenty};

use crate::traffic::{Arrival, Traffic};

const PACKETS: usize = 100_000;
const PER_SECOND: u64 = 20_000;
const PACKET_BYTES: usize = 200;

/// A row: what is asked, what was met, how far apart they are, how far they may be.
pub(crate) fn table() -> String {
    let mut rows = String::from("| fault | asked | met | test |\n|---|---|---|---|\n");
    let mut row = |cells: [String; 4]| rows.push_str(&format!("| {} |\n", cells.join(" | ")));
    row(loss());
    for (name, base, jitter) in [("uniform", 40, 40), ("normal", 60, 20), ("pareto", 10, 20)] {
        row(delay(name, base, jitter));
    }
    row(share("reorder", 5, r#", "hold_back_ms": 3"#, |traffic| {
        let mut highest = 0;
        let late = traffic.arrivals.iter().filter(|arrival| {
            let overtaken = arrival.number < highest;
            highest = highest.max(arrival.number);
            overtaken
        });
        late.count()
    }));
    row(share("duplicate", 5, "", |traffic| traffic.arrivals.len() - traffic.distinct()));
    row(share("corrupt", 5, "", |traffic| PACKETS - traffic.distinct()));
    rows
}

fn traffic(json: &str) -> Traffic {
    Traffic::send(&[json], PACKETS, PER_SECOND, PACKET_BYTES)
}

fn loss() -> [String; 4] {
    let traffic =
        traffic(r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#);
    let mut arrived = vec![false; PACKETS];
    for arrival in &traffic.arrivals {
        arrived[arrival.number] = true;
    }
    let lost = arrived.iter().filter(|&&arrived| !arrived).count();
    // 100 blocks of 1,000, as in the tests of the model.
    let statistic: f64 = arrived
        .chunks(1_000)
        .map(|block| {
            let lost = block.iter().filter(|&&arrived| !arrived).count() as f64;
            (lost - 120.0).powi(2) / 120.0 + (lost - 120.0).powi(2) / 880.0
        })
        .sum();
    [
        "loss".to_owned(),
        "12 %".to_owned(),
        format!("{:.2} %", 100.0 * lost as f64 / PACKETS as f64),
        format!("χ² {statistic:.1}; 0.999 quantile with 100 degrees of freedom 149.4"),
    ]
}

fn delay(distribution: &str, base: u64, jitter: u64) -> [String; 4] {
    let traffic = traffic(&format!(
        r#"{{"delay": {{"direction": "upstream", "base_ms": {base}, "jitter_ms": {jitter},
            "distribution": "{distribution}", "reorder": "allow"}}}}"#
    ));
    let mut delays: Vec<f64> =
        traffic.arrivals.iter().map(|arrival| 1e3 * arrival.delay.as_secs_f64()).collect();
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    let (base, jitter) = (base as f64, jitter as f64);
    let law = |ms: f64| match distribution {
        "uniform" => ((ms - base + jitter) / (2.0 * jitter)).clamp(0.0, 1.0),
        "normal" => normal_within_three((ms - base) / jitter),
        _ => pareto_within_twenty((ms - base) / jitter),
    };
    let count = delays.len() as f64;
    let distance = largest_distance(&mut delays, law);
    let asked = base + if distribution == "pareto" { 0.498_866 * jitter } else { 0.0 };
    [
        format!("delay, {distribution}"),
        format!("{base} ± {jitter} ms, mean {asked:.2} ms"),
        format!("mean {mean:.2} ms"),
        format!(
            "largest distance of the distributions {:.2} % (KS {:.2}; 0.999 quantile 1.95)",
            100.0 * distance,
            distance * count.sqrt()
        ),
    ]
}

fn share(kind: &str, percent: u32, rest: &str, struck: impl Fn(&Traffic) -> usize) -> [String; 4] {
    let traffic = traffic(&format!(
        r#"{{"{kind}": {{"direction": "upstream", "percent": {percent}{rest}}}}}"#
    ));
    let share = f64::from(percent) / 100.0;
    let expected = share * PACKETS as f64;
    let struck = struck(&traffic) as f64;
    let statistic = (struck - expected).powi(2) / (expected * (1.0 - share));
    [
        kind.to_owned(),
        format!("{percent} %"),
        format!("{:.2} %", 100.0 * struck / PACKETS as f64),
        format!("χ² {statistic:.1}; 0.999 quantile with 1 degree of freedom 10.8"),
    ]
}

impl Traffic {
    /// Packets that arrived at least once.
    fn distinct(&self) -> usize {
        let mut numbers: Vec<usize> =
            self.arrivals.iter().map(|&Arrival { number, .. }| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }
}

/// The longest that a delay of these cases lasts.
pub(crate) const LONGEST: Duration = Duration::from_millis(500);
