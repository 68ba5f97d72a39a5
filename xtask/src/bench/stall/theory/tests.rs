use super::{Experiment, Percentiles};

const CALM: Experiment = Experiment {
    requests_per_second: 1_000,
    duration_ms: 10_000,
    connections: 100,
    answer_ms: 10,
    stall_after_ms: 3_000,
    stall_ms: 0,
};

#[test]
fn without_a_stall_all_are_alike() {
    let all = Percentiles::of(&CALM.open_loop());
    assert!((all.p50 - 10.0).abs() < 1e-6 && (all.max - 10.0).abs() < 1e-6, "{all:?}");
}

#[test]
fn a_stall_delays_those_that_fall_due_in_it_and_behind_it() {
    let latencies = Experiment { stall_ms: 2_000, ..CALM }.open_loop();
    // 1,000/s come and 10,000/s can be answered, so the queue is gone after 2 s / (1 - 0.1).
    let delayed = latencies.iter().filter(|latency| **latency > 10.5).count();
    assert!((2_200..2_260).contains(&delayed), "{delayed}");
    let all = Percentiles::of(&latencies);
    assert!((all.p90 - 1_110.0).abs() < 20.0 && (all.max - 2_010.0).abs() < 1e-6, "{all:?}");
}

#[test]
fn a_closed_loop_sees_one_slow_answer_per_connection() {
    let latencies = Experiment { stall_ms: 2_000, ..CALM }.closed_loop(10);
    assert_eq!(latencies.iter().filter(|latency| **latency > 10.5).count(), 10);
    assert_eq!(latencies.len(), 8_000);
    assert!((Percentiles::of(&latencies).p99 - 10.0).abs() < 1e-6);
}
