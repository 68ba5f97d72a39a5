#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn outcome(input: &[u8]) -> String {
    match parse(input) {
        Ok(Start::Incomplete) => "incomplete".to_owned(),
        Ok(Start::Absent) => "absent".to_owned(),
        Ok(Start::Header { proxied: None, length }) => format!("nobody, {length}"),
        Ok(Start::Header { proxied: Some(Proxied { source, destination }), length }) => {
            format!("{source} to {destination}, {length}")
        }
        Err(error) => error.as_str().trim_start_matches("proxy_header_").to_owned(),
    }
}

#[track_caller]
fn check(input: &[u8], expect: &str) {
    assert_eq!(outcome(input), expect, "{}", input.escape_ascii());
    // Cut anywhere, a header is not complete, and never something else.
    if let Ok(Start::Header { length, .. }) = parse(input) {
        for cut in 0..length {
            assert_eq!(parse(&input[..cut]), Ok(Start::Incomplete), "cut at {cut}");
        }
    }
}

#[track_caller]
fn check_v2(hex: &str, expect: &str) {
    let mut input = V2_SIGNATURE.to_vec();
    input.extend(bytes(hex));
    input.extend_from_slice(b"GET / HTTP/1.1\r\n");
    check(&input, expect);
}

#[test]
fn version_1_is_read_to_the_letter() {
    check(
        b"PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\nGET",
        "192.0.2.1:5000 to 198.51.100.2:443, 44",
    );
    check(
        b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
        "[2001:db8::1]:1 to [2001:db8::2]:65535, 44",
    );
    check(b"PROXY UNKNOWN\r\nGET", "nobody, 15");
    check(b"PROXY UNKNOWN ffff::1 anything at all\r\n", "nobody, 39");
    for wrong in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443 \r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 5000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 5000\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +5000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 05000 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 5000 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 5000 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 5000 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 5000 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
    ] {
        check(wrong.as_bytes(), "malformed");
    }
    check(&[b"PROXY UNKNOWN ".as_slice(), &[b'a'; 93]].concat(), "too_long");
    check(&[b"PROXY UNKNOWN ".as_slice(), &[b'a'; 91], b"\r\n"].concat(), "nobody, 107");
}

#[test]
fn version_2_is_read_to_the_letter() {
    check_v2("21 11 000c c0000201 c6336402 1388 01bb", "192.0.2.1:5000 to 198.51.100.2:443, 28");
    check_v2(
        "21 11 0010 c0000201 c6336402 1388 01bb 04 0001 00",
        "192.0.2.1:5000 to 198.51.100.2:443, 32",
    );
    check_v2(
        "21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 0001 0002",
        "[2001:db8::1]:1 to [2001:db8::2]:2, 52",
    );
    check_v2("20 00 0000", "nobody, 16");
    check_v2("20 11 0003 abcdef", "nobody, 19");
    check_v2("21 00 0003 abcdef", "nobody, 19");
    check_v2(&format!("21 31 00d8 {}", "2f".repeat(216)), "nobody, 232");
    check_v2(&format!("21 31 00d7 {}", "2f".repeat(215)), "malformed");
    check_v2("21 11 000b c0000201 c6336402 1388 01", "malformed");
    check_v2("21 11 000e c0000201 c6336402 1388 01bb 04 00", "malformed");
    check_v2("21 11 000f c0000201 c6336402 1388 01bb 04 0001", "malformed");
    for wrong in ["11 11", "22 11", "31 11", "21 12", "21 22", "21 10", "21 41", "21 01"] {
        check_v2(&format!("{wrong} 000c c0000201 c6336402 1388 01bb"), "unsupported");
    }
    check_v2("21 11 3ff1", "too_long");
}

#[test]
fn what_is_no_header_is_told_apart_at_once() {
    check(b"", "incomplete");
    check(b"G", "absent");
    check(b"PRO", "incomplete");
    check(b"PROPFIND / HTTP/1.1\r\n", "absent");
    check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "absent");
    check(b"\r\n\r\n\0\r\nQUIT", "incomplete");
    check(b"\r\n\r\nGET / HTTP/1.1\r\n", "absent");
    check(&[22, 3, 1], "absent");
}

#[test]
fn what_is_written_is_read_back() {
    for (source, destination, family) in [
        ("192.0.2.1:5000", "198.51.100.2:443", "192.0.2.1:5000 to 198.51.100.2:443"),
        ("[::ffff:192.0.2.1]:5000", "198.51.100.2:443", "192.0.2.1:5000 to 198.51.100.2:443"),
        ("[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::1]:1 to [2001:db8::2]:2"),
        ("192.0.2.1:1", "[2001:db8::2]:2", "[::ffff:192.0.2.1]:1 to [2001:db8::2]:2"),
    ] {
        let proxied =
            Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let mut out = Vec::new();
            encode(version, Some(proxied), &mut out);
            check(&out, &format!("{family}, {}", out.len()));
        }
    }
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut out = Vec::new();
        encode(version, None, &mut out);
        check(&out, &format!("nobody, {}", out.len()));
    }
}
