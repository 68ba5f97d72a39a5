#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use super::*;

/// Writes each field down as `name: value`, with a mark for invalid and for sensitive ones.
#[derive(Default)]
struct Log(String);

impl Sink for Log {
    fn field(&mut self, field: Field<'_>) {
        let mark = match (field.valid, field.sensitive) {
            (false, _) => "!",
            (true, true) => "*",
            (true, false) => "",
        };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.0 += &format!("{mark}{}: {}\n", text(field.text), text(field.value));
    }
}

const LIMITS: DecodeLimits = DecodeLimits { bytes_max: 65_536, fields_max: 100 };

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<String, HpackError> {
    let mut log = Log::default();
    decoder.decode(block, LIMITS, &mut log).map(|_| log.0)
}

/// Decodes hexadecimal blocks one after the other.
#[track_caller]
fn check(decoder: &mut Decoder, rows: &[(&str, &str)]) {
    for (hex, expect) in rows {
        assert_eq!(decode(decoder, &bytes(hex)).unwrap().trim_end(), *expect, "{hex}");
    }
}

#[test]
fn rfc_7541_c_2() {
    for (hex, expect) in [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header"),
        ("040c2f73616d706c652f70617468", ":path: /sample/path"),
        ("100870617373776f726406736563726574", "*password: secret"),
        ("82", ":method: GET"),
    ] {
        check(&mut Decoder::new(4_096), &[(hex, expect)]);
    }
}

const C_3: [&str; 3] = [
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com",
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache",
    ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n\
     custom-key: custom-value",
];

#[test]
fn rfc_7541_c_3_and_c_4() {
    let mut plain = Decoder::new(4_096);
    check(
        &mut plain,
        &[
            ("828684410f7777772e6578616d706c652e636f6d", C_3[0]),
            ("828684be58086e6f2d6361636865", C_3[1]),
            ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", C_3[2]),
        ],
    );
    assert_eq!((plain.table_size(), plain.table_len()), (164, 3));
    let mut huffman = Decoder::new(4_096);
    check(
        &mut huffman,
        &[
            ("828684418cf1e3c2e5f23a6ba0ab90f4ff", C_3[0]),
            ("828684be5886a8eb10649cbf", C_3[1]),
            ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", C_3[2]),
        ],
    );
    assert_eq!((huffman.table_size(), huffman.table_len()), (164, 3));
}

const C_5: [&str; 3] = [
    ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n\
     location: https://www.example.com",
    ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n\
     location: https://www.example.com",
    ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n\
     location: https://www.example.com\ncontent-encoding: gzip\n\
     set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];

#[test]
fn rfc_7541_c_5_and_c_6() {
    let rows = [
        [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54\
             6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f\
             3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076\
             657273696f6e3d31",
        ],
        [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f\
             0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df\
             dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ],
    ];
    for blocks in rows {
        // The examples run with a table of 256 bytes, so that entries are evicted.
        let mut decoder = Decoder::new(4_096);
        assert_eq!(decode(&mut decoder, &bytes("3fe101")), Ok(String::new()));
        for (hex, expect) in blocks.into_iter().zip(C_5) {
            check(&mut decoder, &[(hex, expect)]);
        }
        assert_eq!((decoder.table_size(), decoder.table_len()), (215, 3));
    }
}

#[test]
fn broken_blocks() {
    for (hex, expect) in [
        ("80", HpackError::Index),
        ("be", HpackError::Index),
        ("7f00", HpackError::Index),
        ("ffffffff7f", HpackError::Index),
        ("ffffffffffff0f", HpackError::Integer),
        ("400a6375", HpackError::Truncated),
        ("40", HpackError::Truncated),
        ("4001610a", HpackError::Truncated),
        ("40017f", HpackError::Truncated),
        ("00016184", HpackError::Truncated),
        ("000161811c", HpackError::Huffman),
        ("00016184ffffffff", HpackError::Huffman),
        ("3fe21f", HpackError::TableSize),
        ("8220", HpackError::TableSize),
        ("202020", HpackError::TableSize),
    ] {
        let got = decode(&mut Decoder::new(4_096), &bytes(hex));
        assert_eq!(got, Err(expect), "{hex}");
    }
}

#[test]
fn bytes_that_fields_must_not_have() {
    for (name, value, valid) in [
        ("x", "1", true),
        ("x", "", true),
        ("x", "a b\tc", true),
        ("x", "a long enough value for blocks of sixteen, with umlauts: \u{e4}", true),
        ("x", "a long enough value for blocks of sixteen, with \u{1}", false),
        ("x", " 1", false),
        ("x", "1 ", false),
        ("x", "\t1", false),
        ("x", "1\r", false),
        ("X", "1", false),
        ("x y", "1", false),
        ("", "1", false),
        (":x", "1", false),
        ("content-typE", "1", false),
    ] {
        let mut block = vec![0x40, name.len() as u8];
        block.extend_from_slice(name.as_bytes());
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
        // The same again from the table, where it is not checked a second time.
        block.push(0x80 | 62);
        let row = format!("{}{name}: {value}\n", if valid { "" } else { "!" });
        let got = decode(&mut Decoder::new(4_096), &block).unwrap();
        assert_eq!(got, row.repeat(2), "{name:?} {value:?}");
    }
}

#[test]
fn a_name_may_come_from_the_entry_that_its_field_evicts() {
    let mut decoder = Decoder::new(4_096);
    // Table of 64 bytes: `name: value` fits once.
    check(&mut decoder, &[("3f21", ""), ("40046e616d650576616c7565", "name: value")]);
    check(&mut decoder, &[("7e056f74686572", "name: other"), ("be", "name: other")]);
    assert_eq!(decoder.table_len(), 1);
}

#[test]
fn a_reduced_table_must_be_acknowledged_in_the_next_block() {
    let mut decoder = Decoder::new(100);
    assert_eq!(decode(&mut decoder, &[0x82]), Ok(":method: GET\n".to_owned()));
    decoder.set_size_limit(100);
    assert_eq!(decode(&mut decoder, &[0x82]), Err(HpackError::TableSize));
    assert_eq!(decode(&mut decoder, &bytes("3f4582")), Ok(":method: GET\n".to_owned()));
}

#[test]
fn limits_do_not_break_the_state() {
    let mut decoder = Decoder::new(4_096);
    let limits = DecodeLimits { bytes_max: 100, fields_max: 2 };
    let mut log = Log::default();
    let block = bytes("400161016140016201624001630163");
    assert_eq!(decoder.decode(&block, limits, &mut log), Ok(Outcome::Oversized));
    assert_eq!(log.0, "a: a\nb: b\n");
    // The field that was not handed out still entered the table.
    check(&mut decoder, &[("be", "c: c")]);
    let bomb = [0x90; 60];
    assert_eq!(decoder.decode(&bomb, limits, &mut Discard), Err(HpackError::Bomb));
}

fn request(fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new();
    head.fields = fields.iter().copied().collect();
    head.set_target(b"/a");
    head.set_authority(b"example.test");
    head
}

/// Encodes and decodes; gives the block's length and the fields.
fn round_trip(encoder: &mut Encoder, decoder: &mut Decoder, head: &RequestHead) -> (usize, String) {
    let mut out = Vec::new();
    encoder.request(head, &mut out);
    (out.len(), decode(decoder, &out).unwrap())
}

#[test]
fn fields_enter_the_table_when_they_repeat() {
    for huffman in [false, true] {
        let mut encoder = Encoder::new(huffman);
        let mut decoder = Decoder::new(4_096);
        let head = request(&[
            ("user-agent", "test/1"),
            ("x-custom", "value"),
            ("authorization", "Bearer secret"),
            ("cookie", "a=1"),
        ]);
        let mut lens = Vec::new();
        for _ in 0..4 {
            let (len, fields) = round_trip(&mut encoder, &mut decoder, &head);
            assert_eq!(
                fields,
                ":method: GET\n:scheme: http\n:path: /a\n:authority: example.test\n\
                 user-agent: test/1\nx-custom: value\n*authorization: Bearer secret\ncookie: a=1\n"
            );
            lens.push(len);
        }
        assert!(lens[2] < lens[1] && lens[2] == lens[3], "{lens:?}");
        // Authority, user agent and the custom field; neither path, secret nor cookie.
        assert_eq!(decoder.table_len(), 3);
    }
}

#[test]
fn values_that_occur_once_leave_the_table_alone() {
    let mut encoder = Encoder::new(false);
    let mut decoder = Decoder::new(4_096);
    for round in 0..10_000 {
        let unique = format!("{round}");
        let head = request(&[("x-unique", &unique), ("accept", "*/*")]);
        let (_, fields) = round_trip(&mut encoder, &mut decoder, &head);
        assert!(fields.ends_with(&format!("x-unique: {round}\naccept: */*\n")));
    }
    assert!(decoder.table_len() <= 4, "{}", decoder.table_len());
}

#[test]
fn many_repeating_values_evict_each_other() {
    let mut encoder = Encoder::new(false);
    let mut decoder = Decoder::new(4_096);
    for round in 0..20_000u64 {
        let value = format!("{:040}", round.wrapping_mul(2_654_435_761) % 500);
        let head = request(&[("x-a", &value), ("accept", &value), ("x-a", "1")]);
        let (_, fields) = round_trip(&mut encoder, &mut decoder, &head);
        assert!(fields.ends_with(&format!("x-a: {value}\naccept: {value}\nx-a: 1\n")));
        assert!(decoder.table_size() <= 4_096);
    }
}

#[test]
fn the_peers_table_size_is_honoured() {
    let mut encoder = Encoder::new(false);
    let mut decoder = Decoder::new(4_096);
    let head = request(&[("x-custom", "value")]);
    for _ in 0..3 {
        round_trip(&mut encoder, &mut decoder, &head);
    }
    assert_eq!(decoder.table_len(), 2);
    encoder.set_peer_table_bytes(0);
    round_trip(&mut encoder, &mut decoder, &head);
    assert_eq!((decoder.table_len(), decoder.table_size_max()), (0, 0));
    // Down and up between two blocks: both are told.
    encoder.set_peer_table_bytes(200);
    for _ in 0..3 {
        round_trip(&mut encoder, &mut decoder, &head);
    }
    encoder.set_peer_table_bytes(0);
    encoder.set_peer_table_bytes(1_000_000);
    let mut out = Vec::new();
    encoder.request(&head, &mut out);
    assert_eq!(out[..4], [0x20, 0x3f, 0xe1, 0x1f]);
    decode(&mut decoder, &out).unwrap();
    assert_eq!((decoder.table_len(), decoder.table_size_max()), (2, 4_096));
}

#[test]
fn fields_of_one_connection_are_not_sent() {
    let mut encoder = Encoder::new(false);
    let mut trailers: Fields = [
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "1"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("host", "a"),
        ("te", "gzip"),
        ("te", "trailers"),
    ]
    .into_iter()
    .collect();
    trailers.mark_sensitive(Known::Connection);
    let mut out = Vec::new();
    encoder.trailers(&trailers, &mut out);
    assert_eq!(decode(&mut Decoder::new(4_096), &out), Ok("te: trailers\n".to_owned()));
}

#[test]
fn names_are_classified() {
    for &known in Known::ALL {
        assert_eq!(Name::of(known.name().as_bytes()), Name::Field(known));
    }
    for (text, name) in [
        ("", Name::Invalid),
        ("Accept", Name::Invalid),
        ("accep", Name::Field(Known::Other)),
        ("x-custom_1", Name::Field(Known::Other)),
        (":path", Name::Path),
        (":Path", Name::Invalid),
        ("a:b", Name::Invalid),
        ("\u{e4}", Name::Invalid),
    ] {
        assert_eq!(Name::of(text.as_bytes()), name, "{text:?}");
    }
}

#[test]
fn statuses() {
    let mut encoder = Encoder::new(false);
    let mut decoder = Decoder::new(4_096);
    for status in [200, 204, 206, 304, 400, 404, 500, 100, 103, 201, 429, 503, 599, 999] {
        for _ in 0..3 {
            let mut out = Vec::new();
            encoder.response(&ResponseHead::new(status), &mut out);
            assert_eq!(decode(&mut decoder, &out), Ok(format!(":status: {status}\n")));
        }
    }
}
