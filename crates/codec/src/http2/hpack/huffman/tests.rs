use super::*;

fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(text, &mut out);
    out
}

fn decoded(bytes: &[u8]) -> Result<Vec<u8>, HpackError> {
    let mut text = Vec::new();
    decode(bytes, &mut text).map(|()| text)
}

#[test]
fn codes_of_appendix_b() {
    for (byte, code, length) in [
        (b'0', 0x0, 5),
        (b'a', 0x3, 5),
        (b' ', 0x14, 6),
        (b'X', 0xfc, 8),
        (b'!', 0x3f8, 10),
        (b'|', 0x7fc, 11),
        (b'\\', 0x7fff0, 19),
        (0, 0x1ff8, 13),
        (10, 0x3ffffffc, 30),
        (22, 0x3ffffffe, 30),
        (249, 0xffffffe, 28),
        (255, 0x3ffffee, 26),
    ] {
        assert_eq!(CODES[usize::from(byte)], (code, length), "byte {byte}");
    }
}

#[test]
fn every_byte_and_length_comes_back() {
    let all: Vec<u8> = (0..=255).collect();
    for end in 0..=256 {
        for text in [&all[..end], &all[256 - end..], &b"www.example.com/a-b".repeat(14)[..end]] {
            let bytes = encoded(text);
            assert_eq!(bytes.len(), encoded_len(text));
            assert_eq!(decoded(&bytes).unwrap(), text);
        }
    }
}

#[test]
fn padding_and_eos() {
    let refused = Err(HpackError::Huffman);
    assert_eq!(decoded(&[]), Ok(vec![]));
    assert_eq!(decoded(&[0x1f]), Ok(b"a".to_vec()));
    // Padding with zeros, a whole byte of padding, EOS alone, EOS behind a byte, eight ones only.
    for bytes in [
        &[0x18][..],
        &[0x1f, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x1f, 0xff, 0xff, 0xff, 0xff],
        &[0xff],
    ] {
        assert_eq!(decoded(bytes), refused, "{bytes:x?}");
    }
    let mut long = encoded(&b"abcdefgh".repeat(8));
    long.push(0xff);
    assert_eq!(decoded(&long), refused);
}
