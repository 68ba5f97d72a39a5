use super::*;

#[track_caller]
fn check(line: &str, expect: Result<Option<(u64, usize)>, &str>) {
    let decoded = size_line(line.as_bytes());
    let short = decoded.map(|line| line.map(|line| (line.size, line.line_bytes)));
    assert_eq!(short.map_err(|reject| reject.reason), expect, "{line:?}");
}

#[test]
fn sizes_are_hexadecimal() {
    check("0\r\n", Ok(Some((0, 3))));
    check("5\r\nhello", Ok(Some((5, 3))));
    check("fF\r\n", Ok(Some((255, 4))));
    check("000000000000000a\r\n", Ok(Some((10, 18))));
    check("ffffffffffffffff\r\n", Ok(Some((u64::MAX, 18))));
}

#[test]
fn an_unfinished_line_is_waited_for() {
    for line in ["", "5", "5\r", "5;ext", "5;a=\"x"] {
        check(line, Ok(None));
    }
}

#[test]
fn anything_else_is_no_size() {
    for line in ["\r\n", " 5\r\n", "+5\r\n", "-5\r\n", "0x5\r\n", "5_0\r\n", "g\r\n", ";a\r\n"] {
        let digit_first = line.starts_with(|c: char| c.is_ascii_hexdigit());
        let reason = if digit_first { "invalid chunk extension" } else { "invalid chunk size" };
        check(line, Err(reason));
    }
    check("00000000000000005\r\n", Err("invalid chunk size"));
    check("5\n", Err("bare LF in chunk line"));
    check("5 \r\n", Err("invalid chunk extension"));
    check("5\r\r\n", Err("invalid chunk extension"));
}

#[test]
fn extensions_follow_the_grammar() {
    for line in ["5;a\r\n", "5;a=b\r\n", "5 ; a = \"b;\\\"c\" ;d\r\n", "5\t;a\r\n", "5;a=\"\"\r\n"]
    {
        check(line, Ok(Some((5, line.len()))));
    }
    let bad = [
        "5;\r\n",
        "5;=b\r\n",
        "5;a=\r\n",
        "5;a=\"b\r\n",
        "5;a b\r\n",
        "5;a\r;b\r\n",
        "5;a=\"\\\"\r\n",
    ];
    for line in bad {
        check(line, Err("invalid chunk extension"));
    }
}

#[test]
fn the_line_is_limited() {
    let long = format!("5;a={}\r\n", "b".repeat(LINE_BYTES_MAX));
    check(&long, Err("chunk line too long"));
    let longest = format!("5;a={}\r\n", "b".repeat(LINE_BYTES_MAX - 6));
    check(&longest, Ok(Some((5, LINE_BYTES_MAX))));
    check(&longest[..LINE_BYTES_MAX - 1], Ok(None));
}
