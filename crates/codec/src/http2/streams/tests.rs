use super::*;

fn stream(id: StreamId) -> Stream {
    Stream {
        id,
        state: State::default(),
        tag: Tag::from(id) * 10,
        send_window: 0,
        receive_window: 0,
        owed: 0,
        unreleased: 0,
        remaining: ANY_LENGTH,
    }
}

#[test]
fn finds_what_was_inserted_under_any_order_of_removal() {
    // Spacings that collide in the index, and such that do not.
    for step in [2, 4, 30, 32, 64, 1 << 12, 1 << 20] {
        let mut streams = Streams::default();
        let ids: Vec<StreamId> = (0..200).map(|n| 1 + n * step).collect();
        for &id in &ids {
            streams.insert(stream(id));
        }
        for (gone, &id) in ids.iter().step_by(3).chain(ids.iter().skip(1).step_by(3)).enumerate() {
            assert_eq!(streams.remove(id).map(|s| s.tag), Some(Tag::from(id) * 10));
            assert!(streams.remove(id).is_none());
            assert_eq!(streams.len(), 200 - gone - 1);
        }
        for (at, &id) in ids.iter().enumerate() {
            let found = streams.find_mut(id).map(|s| s.tag);
            assert_eq!(found, (at % 3 == 2).then_some(Tag::from(id) * 10), "{id} of step {step}");
        }
        let mut live: Vec<StreamId> = streams.iter_mut().map(|s| s.id).collect();
        live.sort_unstable();
        assert!(live.iter().eq(ids.iter().skip(2).step_by(3)));
    }
}

#[test]
fn slots_are_used_again() {
    let mut streams = Streams::default();
    for id in (1..100_000).step_by(2) {
        streams.insert(stream(id));
        if id > 64 {
            assert!(streams.remove(id - 64).is_some());
        }
    }
    assert!(streams.slab.len() <= 33 && streams.index.len() <= 128);
    assert!(streams.find(2).is_none());
}

#[test]
fn an_empty_table_finds_nothing() {
    let mut streams = Streams::default();
    assert!(streams.find(1).is_none());
    assert!(streams.remove(1).is_none());
}

#[test]
fn remembers_the_last_few() {
    let mut ids = Remembered::new(3);
    for id in 1..=5 {
        ids.push(id);
    }
    assert_eq!([1, 2, 3, 4, 5].map(|id| ids.contains(id)), [false, false, true, true, true]);
}
