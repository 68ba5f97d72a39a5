use super::{Message, read, write};

/// 1: 150, 2: "hi", 3: a double, 4: a float.
const BYTES: &[u8] =
    b"\x08\x96\x01\x12\x02hi\x19\x00\x00\x00\x00\x00\x00\xf0\x3f\x25\x00\x00\x80\x3f";

#[test]
fn a_field_is_changed_and_the_others_stay() {
    let mut message = Message::decode(BYTES).unwrap();
    assert_eq!(message.encode(), BYTES);
    assert_eq!((message.number(1), message.bytes(2)), (150, &b"hi"[..]));
    assert_eq!((message.number(9), message.bytes(9)), (0, &b""[..]));
    message.set_bytes(2, b"you");
    message.set_number(1, 300);
    message.remove(3);
    assert_eq!(message.encode(), b"\x25\x00\x00\x80\x3f\x12\x03you\x08\xac\x02");
}

#[test]
fn messages_stand_one_after_the_other() {
    let message = Message::decode(BYTES).unwrap();
    let mut bytes = Vec::new();
    write(&mut bytes, &message).unwrap();
    write(&mut bytes, &Message::default()).unwrap();
    let mut from = bytes.as_slice();
    assert_eq!(read(&mut from).unwrap(), Some(message));
    assert_eq!(read(&mut from).unwrap(), Some(Message::default()));
    assert_eq!(read(&mut from).unwrap(), None);
}

#[test]
fn what_is_cut_short_or_no_message_is_refused() {
    for bytes in
        [&b"\x08"[..], b"\x12\x05hi", b"\x0b", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
    {
        assert!(Message::decode(bytes).is_err(), "{bytes:?}");
    }
    assert!(read(&mut &b"\xff\xff\xff\xff"[..]).is_err());
    assert!(read(&mut &b"\x00\x00\x00\x05\x08"[..]).is_err());
}
