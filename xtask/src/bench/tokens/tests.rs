use super::{base64url, from_hex};

#[test]
fn base64url_matches_rfc_4648() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64url(bytes.as_bytes()), text);
    }
    assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
}

#[test]
fn hex_is_read_in_pairs() {
    assert_eq!(from_hex("00ff10").unwrap(), [0, 255, 16]);
    assert!(from_hex("0g").is_err());
}
