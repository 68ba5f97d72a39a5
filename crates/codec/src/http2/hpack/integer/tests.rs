use super::*;

#[track_caller]
fn check(value: usize, mask: u8, bytes: &[u8]) {
    let mut out = Vec::new();
    encode(value, mask, 0, &mut out);
    assert_eq!(out, bytes);
    let (&first, mut rest) = bytes.split_first().unwrap();
    assert_eq!(decode(first, mask, &mut rest), Ok(value));
    assert!(rest.is_empty());
}

#[test]
fn examples_of_rfc_7541_c_1() {
    check(10, 0x1f, &[0x0a]);
    check(1337, 0x1f, &[0x1f, 0x9a, 0x0a]);
    check(42, 0xff, &[0x2a]);
}

#[test]
fn borders() {
    check(30, 0x1f, &[30]);
    check(31, 0x1f, &[31, 0]);
    check(u32::MAX as usize, 0x7f, &[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f]);
}

#[test]
fn too_large_or_cut_off_is_refused() {
    for (bytes, expect) in [
        (&[0xff, 0xff, 0xff, 0xff, 0x7f][..], HpackError::Integer),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], HpackError::Integer),
        (&[0xff, 0xff], HpackError::Truncated),
        (&[], HpackError::Truncated),
    ] {
        assert_eq!(decode(0x7f, 0x7f, &mut &*bytes), Err(expect), "{bytes:x?}");
    }
}
