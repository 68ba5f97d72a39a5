use std::time::Duration;

use bulkhead_testkit::check_golden;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::{HISTORY, LivePlan, LiveState, Part};
use super::{ends, view};
use crate::load::output::sample;

fn state(rows: u64) -> LiveState {
    let mut state = LiveState::new(LivePlan {
        target: "h2c://127.0.0.1:9000/feed".to_owned(),
        pace: "100 requests/s".to_owned(),
        warmup: Duration::from_secs(2),
        measured: Duration::from_secs(10),
        cooldown: Duration::from_secs(1),
    });
    for (row, latencies) in (0..rows).map(sample::row) {
        state.on_row(&row, &latencies);
    }
    state.on_tick(Duration::from_millis(2_100 + 1_000 * rows));
    state
}

fn screen(state: &LiveState, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::view(state, frame)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn screens_are_as_committed() {
    let mut screens = String::new();
    for (name, state, width, height) in [
        ("wide", state(5), 110, 30),
        ("narrow", state(5), 60, 24),
        ("nothing yet", state(0), 100, 20),
    ] {
        screens += &format!("{name}\n{}\n", screen(&state, width, height));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/load-live.txt");
    check_golden(path, &screens);
}

#[test]
fn any_size_of_screen_can_be_drawn_on() {
    let state = state(5);
    for (width, height) in [(1, 1), (20, 3), (89, 5), (90, 1), (90, 6), (300, 100)] {
        screen(&state, width, height);
    }
}

#[test]
fn parts_follow_the_plan() {
    let mut state = state(0);
    for (ms, part, left_ms) in [
        (0, Part::Warmup, 2_000),
        (1_999, Part::Warmup, 1),
        (2_000, Part::Measured, 10_000),
        (12_000, Part::Cooldown, 1_000),
        (13_000, Part::Draining, 0),
    ] {
        state.on_tick(Duration::from_millis(ms));
        assert_eq!(state.part(), (part, Duration::from_millis(left_ms)), "{ms}");
    }
    state.on_end();
    assert_eq!(state.part().0, Part::Ending);
}

#[test]
fn a_long_run_holds_no_more_than_a_short_one() {
    let state = state(1_000);
    assert_eq!(state.rows.len(), HISTORY);
    assert_eq!((state.ok, state.failed), (99_990, 10));
    assert_eq!(state.overall().count, 99_990);
}

#[test]
fn q_and_control_c_end_the_run() {
    let key = |letter, modifiers| KeyEvent::new(KeyCode::Char(letter), modifiers);
    assert!(ends(&key('q', KeyModifiers::NONE)) && ends(&key('c', KeyModifiers::CONTROL)));
    assert!(!ends(&key('c', KeyModifiers::NONE)) && !ends(&key('p', KeyModifiers::NONE)));
}
