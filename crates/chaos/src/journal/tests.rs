use std::time::Duration;

use super::{DamagedJournal, Record, Recovered};
use crate::{ChaosId, Effect, Fault, Order, ProcessFault, Random, State, Target};

fn id(ms: u64) -> ChaosId {
    ChaosId::new(Duration::from_millis(ms), &mut Random::new(ms))
}

fn intent(ms: u64) -> Record {
    Record::Intent {
        order: Box::new(Order {
            id: id(ms),
            fault: Fault::Process(ProcessFault::Stop),
            target: Target::Process { pid: 7, start_time: 9 },
            seed: u64::MAX,
            expires_unix_ms: ms + 60_000,
        }),
        time_to_live_ms: 60_000,
        actor: "somebody".to_owned(),
        unix_ms: ms,
    }
}

fn handle(ms: u64) -> Record {
    Record::Handle { id: id(ms), handle: serde_json::json!({"table": "x\ny"}) }
}

fn end(ms: u64) -> Record {
    let effect = Some(Effect { hits: ms, seen: 9 });
    Record::End { id: id(ms), state: State::Reverted, unix_ms: ms + 5, detail: None, effect }
}

fn text(records: &[Record]) -> String {
    records.iter().map(|record| record.to_line().unwrap()).collect()
}

#[test]
fn what_has_not_ended_is_known_with_its_handle() {
    let journal = text(&[intent(1), handle(1), intent(2), end(1), intent(3), handle(3)]);
    let read = Recovered::read(journal.as_bytes()).unwrap();
    assert_eq!(read.whole_bytes, journal.len() as u64);
    let [one, two, three] = &read.injections[..] else { panic!("{read:?}") };
    assert_eq!(one.ended, Some((State::Reverted, Duration::from_millis(6))));
    assert_eq!(one.effect, Some(Effect { hits: 1, seen: 9 }));
    assert_eq!((two.ended, &two.handle, two.effect), (None, &None, None));
    assert_eq!(Recovered::read(text(&read.compacted(9)).as_bytes()).unwrap().injections[0], *one);
    assert!(three.ended.is_none() && three.handle.as_ref().unwrap()["table"] == "x\ny");
    assert_eq!(three.order.seed, u64::MAX);
}

/// Torn at every byte: what was whole before is known, nothing else, and it is no error.
#[test]
fn a_torn_end_is_left_out() {
    let whole = text(&[intent(1), handle(1)]);
    let last = end(1).to_line().unwrap();
    for cut in 0..last.len() {
        let read = Recovered::read(format!("{whole}{}", &last[..cut]).as_bytes()).unwrap();
        assert_eq!(read.whole_bytes, whole.len() as u64, "cut at {cut}");
        assert!(read.injections[0].ended.is_none());
    }
}

/// Each byte of a line that is followed by another, changed.
#[test]
fn damage_in_the_middle_is_told() {
    let journal = text(&[intent(1), handle(1), end(1)]);
    let first = journal.find('\n').unwrap();
    for place in 0..first {
        let mut bytes = journal.clone().into_bytes();
        bytes[place] ^= 1;
        if bytes[place] == b'\n' {
            continue;
        }
        assert_eq!(Recovered::read(&bytes), Err(DamagedJournal { line: 1 }), "byte {place}");
    }
}

#[test]
fn hostile_bytes_are_no_panic() {
    let mut random = Random::new(3);
    for _ in 0..2_000 {
        let length = random.below(200) as usize;
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let _ = Recovered::read(&bytes);
    }
}

#[test]
fn compaction_keeps_what_lives_and_the_latest_that_ended() {
    let mut records = vec![intent(1), handle(1)];
    for ms in 2..=10 {
        records.extend([intent(ms), handle(ms), end(ms)]);
    }
    let read = Recovered::read(text(&records).as_bytes()).unwrap();
    let again = Recovered::read(text(&read.compacted(3)).as_bytes()).unwrap();
    let ids: Vec<ChaosId> = again.injections.iter().map(|known| known.order.id).collect();
    assert_eq!(ids, [id(1), id(8), id(9), id(10)]);
    assert_eq!(again.forgotten_ms, 7);
    assert_eq!(again.injections[0], read.injections[0]);
    // Once more changes nothing.
    assert_eq!(text(&again.compacted(3)), text(&read.compacted(3)));
}
