use super::*;

const NOW: u64 = 1_700_000_000;

fn keys() -> TicketKeys {
    TicketKeys::new(NOW).unwrap()
}

#[test]
fn a_ticket_is_opened_by_whoever_was_given_the_keys() {
    let (old, stranger) = (keys(), keys());
    let new = TicketKeys::from_bytes(&old.to_bytes()).unwrap();
    let ticket = old.seal(b"session", NOW).unwrap();
    assert_eq!(new.open(&ticket, NOW + 60).as_deref(), Some(&b"session"[..]));
    assert_eq!(stranger.open(&ticket, NOW + 60), None);
}

#[test]
fn keys_rotate_and_end() {
    let keys = keys();
    let ticket = keys.seal(b"session", NOW).unwrap();
    assert!(keys.open(&ticket, NOW + ROTATION_S).is_some());
    // Both go along.
    let heir = TicketKeys::from_bytes(&keys.to_bytes()).unwrap();
    assert!(heir.open(&ticket, NOW + ROTATION_S).is_some());
    assert!(keys.open(&ticket, NOW + 2 * ROTATION_S).is_none());
    assert!(heir.open(&ticket, NOW + 3 * ROTATION_S).is_none());
}

#[test]
fn damaged_tickets_and_keys_are_refused() {
    let keys = keys();
    let ticket = keys.seal(b"session", NOW).unwrap();
    for at in 0..ticket.len() {
        let mut damaged = ticket.clone();
        damaged[at] ^= 1;
        assert_eq!(keys.open(&damaged, NOW), None, "byte {at}");
        assert_eq!(keys.open(&ticket[..at], NOW), None, "cut at {at}");
    }
    let bytes = keys.to_bytes();
    for cut in 0..bytes.len() {
        assert!(TicketKeys::from_bytes(&bytes[..cut]).is_none(), "cut at {cut}");
    }
    assert!(TicketKeys::from_bytes(&bytes.repeat(3)).is_none());
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", keys()), "TicketKeys(..)");
}
