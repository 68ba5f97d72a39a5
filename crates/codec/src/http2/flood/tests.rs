use super::*;

#[test]
fn batches_refill_a_little() {
    let mut guard = Guard::new(100, 65_535);
    while guard.control(1).is_ok() {}
    guard.batch_ended();
    for _ in 0..CONTROLS_PER_BATCH {
        assert_eq!(guard.control(1), Ok(()));
    }
    assert!(guard.control(1).is_err());
}

#[test]
fn completed_streams_pay_for_cancelled_ones() {
    let mut guard = Guard::new(100, 65_535);
    for _ in 0..RESETS_MIN {
        assert_eq!(guard.cancelled(), Ok(()));
    }
    assert!(guard.forced().is_err());
    guard.completed();
    assert_eq!(guard.forced(), Ok(()));
    assert!(guard.cancelled().is_err());
}

#[test]
fn body_bytes_pay_for_empty_frames() {
    let mut guard = Guard::new(100, 65_535);
    assert_eq!(guard.data, 32_767);
    while guard.data(0).is_ok() {}
    assert_eq!(guard.data(1_000), Ok(()));
    assert_eq!(guard.data(0), Ok(()));
}

#[test]
fn sending_pays_for_window_updates() {
    let mut guard = Guard::new(100, 65_535);
    while guard.window_update().is_ok() {}
    guard.sent(16_384);
    for _ in 0..66 {
        assert_eq!(guard.window_update(), Ok(()));
    }
    assert!(guard.window_update().is_err());
}
