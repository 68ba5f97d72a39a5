//! Requests that follow from answers, and clients that think.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::Next;

/// Three steps: `/status/200`, `/status/201`, `/status/202`; each answer leads to the next.
struct Steps {
    after: Duration,
    /// Journeys begun and not yet ended.
    live: Arc<AtomicUsize>,
    /// The status that step 1 expects.
    second: u16,
}

impl Workload for Steps {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        self.live.fetch_add(1, Ordering::Relaxed);
        request.key = number << 2;
        request.head.set_authority(b"feed.example");
        request.head.set_target(b"/status/200");
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let expected = [200, self.second, 202][(answer.key & 3) as usize];
        if answer.head.status == expected { Ok(()) } else { Err(Mismatch::Status) }
    }

    fn next(&mut self, answer: &Answer<'_>) -> Option<Next> {
        if answer.key & 3 == 2 {
            self.live.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Next { after: self.after, key: answer.key + 1 })
    }

    fn follow(&mut self, key: u64, request: &mut Request) {
        request.class = (key & 3) as usize;
        request.head.set_authority(b"feed.example");
        request.head.set_target(format!("/status/{}", 200 + (key & 3)).as_bytes());
    }

    fn abandon(&mut self, _key: u64) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run(options: LoadOptions, after: Duration, second: u16) -> (LoadReport, usize) {
    let live = Arc::new(AtomicUsize::new(0));
    let steps =
        |_| -> Box<dyn Workload> { Box::new(Steps { after, live: Arc::clone(&live), second }) };
    let report = Load::start(options, steps).unwrap().finish();
    (report, live.load(Ordering::Relaxed))
}

#[test]
fn steps_follow_each_other_and_none_is_forgotten() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let options = options(origin.addr(), protocol);
        let (report, live) = run(options, Duration::from_millis(5), 201);
        assert_eq!((report.failed, live), (0, 0), "{:?}", report.failure_samples);
        assert_eq!(report.classes[0].ok, 400);
        // Steps that would have been due after the end are given up.
        let (second, third) = (report.classes[1].ok, report.classes[2].ok);
        assert!(0 < third && third <= second && second <= 400, "{second} {third}");
        assert_eq!(
            origin.stats().requests_total(),
            report.sent + report.excluded.sent,
            "{:?}",
            report.excluded
        );
    }
}

#[test]
fn a_failed_step_ends_its_journey() {
    let origin = origin();
    let (report, live) = run(options(origin.addr(), Protocol::Http2), Duration::ZERO, 299);
    assert_eq!((report.classes[2].sent, live), (0, 0));
    assert_eq!(report.classes[1].ok, 0);
    assert_eq!(report.classes[1].failures["wrong_status"], report.classes[1].sent);
}

#[test]
fn journeys_that_wait_for_a_stream_are_not_forgotten_either() {
    let origin = origin();
    let options = LoadOptions { timeout: Duration::from_millis(50), ..one_stream(origin.addr()) };
    let (report, live) = run(options, Duration::ZERO, 201);
    assert_eq!(live, 0, "{report:?}");
    assert_eq!(
        origin.stats().requests_total(),
        report.sent + report.excluded.sent,
        "{:?}",
        report.excluded
    );
}

#[test]
fn clients_of_a_closed_loop_think() {
    let origin = origin();
    let think = Duration::from_millis(40);
    let options = LoadOptions {
        arrivals: Arrivals::Closed { in_flight: 10, think },
        ..options(origin.addr(), Protocol::Http2)
    };
    let report = Load::start(options, feeds(0, "")).unwrap().finish();
    // 10 clients, each at most one request in 40 ms, over 200 ms.
    assert!(report.failed == 0 && (10..=60).contains(&report.ok), "{}", report.ok);
}
