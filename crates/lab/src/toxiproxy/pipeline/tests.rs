use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::toxic::{Stream, Toxic};
use super::{Ending, Item, Pipeline};

fn toxic(body: &str) -> Toxic {
    let now = Instant::now();
    let toxic = Toxic::create(body.as_bytes(), now, Duration::from_secs(900)).unwrap();
    assert_eq!(toxic.stream, Stream::Downstream);
    toxic
}

/// A pipeline on a clock of its own.
struct Bench {
    pipeline: Pipeline,
    start: Instant,
}

impl Bench {
    fn new(bodies: &[&str]) -> Self {
        let mut bench = Self { pipeline: Pipeline::new(7), start: Instant::now() };
        bench.set(0, bodies);
        bench
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn set(&mut self, ms: u64, bodies: &[&str]) {
        let toxics: Vec<Toxic> = bodies.iter().map(|body| toxic(body)).collect();
        self.pipeline.set(self.at(ms), toxics.iter());
    }

    fn send(&mut self, ms: u64, bytes: &'static [u8]) {
        self.pipeline.offer(Item::Data(Bytes::from_static(bytes), self.at(ms)));
    }

    fn end(&mut self) {
        self.pipeline.offer(Item::End(Ending::Finished));
    }

    /// What passes until nothing is due any more: bytes or an ending, each with its millisecond.
    fn run(&mut self, from: u64) -> Vec<(u64, Result<Vec<u8>, Ending>)> {
        let mut seen = Vec::new();
        let mut now = self.at(from);
        loop {
            let next = self.pipeline.advance(now);
            let ms = now.duration_since(self.start).as_millis() as u64;
            while let Some(item) = self.pipeline.take() {
                seen.push((
                    ms,
                    match item {
                        Item::Data(bytes, _) => Ok(bytes.to_vec()),
                        Item::End(ending) => Err(ending),
                    },
                ));
            }
            let Some(next) = next else { return seen };
            assert!(next > now, "time stands still");
            now = next;
        }
    }
}

fn bytes(seen: &[(u64, Result<Vec<u8>, Ending>)]) -> Vec<u8> {
    seen.iter().filter_map(|(_, item)| item.clone().ok()).flatten().collect()
}

#[test]
fn without_toxics_all_passes_at_once() {
    let mut bench = Bench::new(&[]);
    bench.send(0, b"hello");
    bench.end();
    let expected = vec![(0, Ok(b"hello".to_vec())), (0, Err(Ending::Finished))];
    assert_eq!(bench.run(0), expected);
    assert!(!bench.pipeline.has_room());
}

#[test]
fn latency_counts_from_the_reading_and_does_not_add_up_over_pieces() {
    let mut bench = Bench::new(&[r#"{"type": "latency", "attributes": {"latency": 100}}"#]);
    bench.send(0, b"a");
    bench.send(30, b"b");
    bench.end();
    let expected =
        vec![(100, Ok(b"a".to_vec())), (130, Ok(b"b".to_vec())), (130, Err(Ending::Finished))];
    assert_eq!(bench.run(30), expected);
}

#[test]
fn jitter_is_uniform_and_keeps_the_order() {
    let body = r#"{"type": "latency", "attributes": {"latency": 100, "jitter": 50}}"#;
    let mut delays = Vec::new();
    let mut bench = Bench::new(&[body]);
    for round in 0..2_000 {
        let sent = round * 1_000;
        bench.send(sent, b"x");
        let seen = bench.run(sent);
        assert_eq!(seen.len(), 1);
        delays.push(seen[0].0 - sent);
    }
    assert!(delays.iter().all(|delay| (50..=150).contains(delay)));
    let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64;
    // The mean of 2,000 uniform draws over 100 ms has a standard error of 0.65 ms.
    assert!((mean - 99.5).abs() < 3.3, "{mean}");
}

#[test]
fn bandwidth_is_the_rate_over_many_pieces() {
    static DATA: [u8; 10_000] = [7; 10_000];
    // 10 kB/s: 1,000 bytes in each slice of 100 ms.
    let mut bench = Bench::new(&[r#"{"type": "bandwidth", "attributes": {"rate": 10}}"#]);
    bench.send(0, &DATA);
    bench.send(0, b"0123456789");
    let seen = bench.run(0);
    assert_eq!(bytes(&seen).len(), 10_010);
    assert_eq!(seen[0].0, 100);
    assert_eq!(seen.last().unwrap().0, 1_001);
}

#[test]
fn a_rate_of_nothing_holds_everything_until_the_toxic_goes() {
    let mut bench = Bench::new(&[r#"{"type": "bandwidth", "attributes": {"rate": 0}}"#]);
    bench.send(0, b"held");
    assert_eq!(bench.run(60_000), vec![]);
    bench.set(60_001, &[]);
    assert_eq!(bench.run(60_001), vec![(60_001, Ok(b"held".to_vec()))]);
}

#[test]
fn a_slow_close_delays_the_end_alone() {
    let mut bench = Bench::new(&[r#"{"type": "slow_close", "attributes": {"delay": 500}}"#]);
    bench.send(0, b"a");
    bench.end();
    assert_eq!(bench.run(0), vec![(0, Ok(b"a".to_vec())), (500, Err(Ending::Finished))]);
}

#[test]
fn a_timeout_swallows_and_then_cuts() {
    let mut bench = Bench::new(&[r#"{"type": "timeout", "attributes": {"timeout": 200}}"#]);
    bench.send(0, b"gone");
    assert_eq!(bench.run(0), vec![(200, Err(Ending::Cut))]);
    // Who lost bytes is cut off when the toxic goes, rather than served a stream with a hole.
    let mut bench = Bench::new(&[r#"{"type": "timeout"}"#]);
    bench.send(0, b"gone");
    assert_eq!(bench.run(50), vec![]);
    bench.set(60, &[]);
    bench.send(60, b"late");
    assert_eq!(bench.run(60).first(), Some(&(60, Err(Ending::Cut))));
}

#[test]
fn a_reset_comes_after_the_first_bytes() {
    let mut bench = Bench::new(&[r#"{"type": "reset_peer", "attributes": {"timeout": 20}}"#]);
    assert_eq!(bench.run(0), vec![]);
    bench.send(10, b"x");
    assert_eq!(bench.run(10), vec![(30, Err(Ending::Reset))]);
}

#[test]
fn slices_have_the_size_and_the_distance_that_were_asked_for() {
    static DATA: [u8; 1_000] = [3; 1_000];
    let body = r#"{"type": "slicer",
        "attributes": {"average_size": 100, "size_variation": 20, "delay": 5000}}"#;
    let mut bench = Bench::new(&[body]);
    bench.send(0, &DATA);
    let seen = bench.run(0);
    assert_eq!(bytes(&seen), DATA);
    for (index, (ms, slice)) in seen.iter().enumerate() {
        assert_eq!(*ms, 5 * index as u64);
        let len = slice.as_ref().unwrap().len();
        assert!((80..=120).contains(&len) || index == seen.len() - 1, "{len}");
    }
}

#[test]
fn a_limit_counts_bytes_over_pieces_and_cuts() {
    let mut bench = Bench::new(&[r#"{"type": "limit_data", "attributes": {"bytes": 7}}"#]);
    bench.send(0, b"01234");
    bench.send(0, b"56789");
    let seen = bench.run(0);
    assert_eq!(bytes(&seen), b"0123456");
    assert_eq!(seen.last().unwrap().1, Err(Ending::Cut));
    bench.send(1, b"more");
    assert_eq!(bench.run(1), vec![]);
}

#[test]
fn a_toxic_of_no_connection_touches_none() {
    let body = r#"{"type": "latency", "toxicity": 0, "attributes": {"latency": 100}}"#;
    let mut bench = Bench::new(&[body]);
    bench.send(0, b"x");
    assert_eq!(bench.run(0), vec![(0, Ok(b"x".to_vec()))]);
}

#[test]
fn toxics_act_one_after_the_other_and_go_without_loss() {
    let latency = r#"{"type": "latency", "attributes": {"latency": 100}}"#;
    let slicer = r#"{"type": "slicer", "attributes": {"average_size": 2, "delay": 1000}}"#;
    let mut bench = Bench::new(&[latency, slicer]);
    bench.send(0, b"abcd");
    let expected = vec![(100, Ok(b"ab".to_vec())), (101, Ok(b"cd".to_vec()))];
    assert_eq!(bench.run(0), expected);

    bench.send(200, b"first");
    bench.send(201, b"second");
    bench.pipeline.advance(bench.at(201));
    bench.set(202, &[slicer]);
    assert_eq!(bytes(&bench.run(202)), b"firstsecond");
}

#[test]
fn reading_stops_when_too_much_waits() {
    let mut bench = Bench::new(&[r#"{"type": "bandwidth", "attributes": {"rate": 1}}"#]);
    let piece = vec![0; 1 << 20];
    let mut taken = 0;
    while bench.pipeline.has_room() {
        bench.pipeline.offer(Item::Data(Bytes::from(piece.clone()), bench.start));
        taken += 1;
    }
    assert_eq!(taken, 4);
}
