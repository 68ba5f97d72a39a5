use super::*;

fn ring(keys: &[[u8; 80]]) -> Ticketer {
    Ticketer::from_keys(keys).unwrap()
}

#[test]
fn the_first_key_seals_and_all_open() {
    let (old, new) = ([1; 80], [2; 80]);
    let before = ring(&[old]).scoped(None);
    let ticket = before.encrypt(b"session").unwrap();
    assert_ne!(ticket, before.encrypt(b"session").unwrap(), "no two tickets are alike");
    let during = ring(&[new, old]).scoped(None);
    assert_eq!(during.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
    let fresh = during.encrypt(b"session").unwrap();
    assert_eq!(before.decrypt(&fresh), None, "sealed with the new key");
    let after = ring(&[new]).scoped(None);
    assert_eq!(after.decrypt(&fresh).as_deref(), Some(&b"session"[..]));
    assert_eq!(after.decrypt(&ticket), None, "the old key is gone");
}

#[test]
fn tickets_of_another_kind_of_listener_are_refused() {
    for ticketer in [ring(&[[1; 80]]), Ticketer::new().unwrap()] {
        let (open, closed) = (ticketer.scoped(None), ticketer.scoped(Some([7; 32])));
        let ticket = open.encrypt(b"session").unwrap();
        assert_eq!(closed.decrypt(&ticket), None);
        let ticket = closed.encrypt(b"session").unwrap();
        assert_eq!(open.decrypt(&ticket), None);
        assert_eq!(closed.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
    }
}

#[test]
fn hostile_tickets_are_refused() {
    let ticketer = ring(&[[3; 80]]).scoped(None);
    let ticket = ticketer.encrypt(b"session").unwrap();
    for length in 0..ticket.len() {
        assert_eq!(ticketer.decrypt(&ticket[..length]), None, "{length} bytes");
    }
    for at in 0..ticket.len() {
        let mut changed = ticket.clone();
        changed[at] ^= 1;
        assert_eq!(ticketer.decrypt(&changed), None, "byte {at}");
    }
}

#[test]
fn key_files_have_80_or_48_bytes() {
    assert!(Ticketer::from_keys(&[[0; 48]]).is_ok());
    for bytes in [0, 15, 16, 32, 79, 81] {
        let text = Ticketer::from_keys(&[vec![0; bytes]]).unwrap_err().to_string();
        assert!(text.contains(&format!("has {bytes} bytes")), "{text}");
    }
}

#[test]
fn a_file_of_another_length_class_has_another_key() {
    let long = Ticketer::from_keys(&[[5; 80]]).unwrap().scoped(None);
    let short = Ticketer::from_keys(&[[5; 48]]).unwrap().scoped(None);
    assert_eq!(short.decrypt(&long.encrypt(b"session").unwrap()), None);
}
