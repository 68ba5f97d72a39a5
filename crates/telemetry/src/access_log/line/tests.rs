use std::net::IpAddr;

use bulkhead_message::{FailureKind, Side, TlsRecord, Version};
use serde_json::{Value, json};

use super::*;

fn record<'a>() -> ExchangeRecord<'a> {
    ExchangeRecord {
        client: Some(IpAddr::from([127, 0, 0, 1])),
        method: b"GET",
        authority: b"example.test:8443",
        target: b"/feed?token=secret",
        version: Version::Http2,
        route: "feed",
        cluster: "api",
        endpoint: "127.0.0.1:9000",
        status: 200,
        grpc_status: None,
        tunnel: None,
        outcome: Outcome::Complete,
        attempts: 1,
        request_bytes: 0,
        response_bytes: 1_024,
        duration: Duration::from_micros(12_034),
        revision: 3,
        request_id: Some(b"abc"),
        fault: None,
        fault_group: None,
        tls: None,
    }
}

fn line(record: &ExchangeRecord<'_>, with_query: bool) -> String {
    let mut out = Vec::new();
    let now = Duration::from_millis(1_700_000_000_123);
    write(&mut out, record, now, &mut SecondText::default(), with_query);
    String::from_utf8(out).unwrap()
}

#[test]
fn complete_exchange() {
    assert_eq!(
        line(&record(), false),
        concat!(
            r#"{"time":"2023-11-14T22:13:20.123Z","client":"127.0.0.1","method":"GET","#,
            r#""authority":"example.test:8443","path":"/feed","query":"redacted","protocol":"2","#,
            r#""route":"feed","cluster":"api","endpoint":"127.0.0.1:9000","status":200,"#,
            r#""outcome":"complete","attempts":1,"request_bytes":0,"response_bytes":1024,"#,
            r#""duration_ms":12.034,"revision":3,"request_id":"abc"}"#,
            "\n"
        )
    );
    assert!(line(&record(), true).contains(r#""query":"token=secret""#));
}

#[test]
fn what_is_known_of_tls_is_told() {
    let tls = TlsRecord {
        version: "1.3",
        cipher: "TLS13_AES_128_GCM_SHA256",
        server_name: "a.example",
        client_subject: "CN=\"ada\"",
        ..TlsRecord::default()
    };
    let record = ExchangeRecord { tls: Some(tls), ..record() };
    let value: Value = serde_json::from_str(&line(&record, false)).unwrap();
    assert_eq!(value["tls_version"], json!("1.3"));
    assert_eq!(value["tls_cipher"], json!("TLS13_AES_128_GCM_SHA256"));
    assert_eq!(value["tls_server_name"], json!("a.example"));
    assert_eq!(value["tls_client_subject"], json!("CN=\"ada\""));
    assert!(value.get("tls_client_spiffe_id").is_none());
}

#[test]
fn failed_grpc_exchange() {
    let record = ExchangeRecord {
        client: None,
        status: 503,
        grpc_status: Some(14),
        tunnel: None,
        outcome: Outcome::Failed { kind: FailureKind::NoEndpoint, side: Side::Gateway },
        request_id: None,
        fault: None,
        fault_group: None,
        tls: None,
        target: b"/svc/Method",
        ..record()
    };
    let value: Value = serde_json::from_str(&line(&record, false)).unwrap();
    assert_eq!(value["grpc_status"], json!(14));
    assert_eq!(value["failure"], json!("no_endpoint"));
    assert_eq!(value["outcome"], json!("failed"));
    for absent in ["client", "request_id", "query"] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn hostile_bytes_stay_in_their_string() {
    let rows: [(&[u8], &str); 9] = [
        (b"plain", "plain"),
        (b"\",\"status\":200,\"x\":\"", "\",\"status\":200,\"x\":\""),
        (b"back\\slash", "back\\slash"),
        (b"line\r\nfeed\0", "line\r\nfeed\0"),
        (b"\x1b[31mred", "\x1b[31mred"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"cut \xe2\x82", "cut \u{fffd}"),
        ("\u{85}\u{2028}\u{7f}".as_bytes(), "\u{85}\u{2028}\u{7f}"),
        ("grüße 🚪".as_bytes(), "grüße 🚪"),
    ];
    for (bytes, expected) in rows {
        let line = line(&ExchangeRecord { authority: bytes, ..record() }, false);
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.trim_end().chars().all(|character| !character.is_control()), "{line:?}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["authority"], json!(expected));
        assert_eq!(value["status"], json!(200));
    }
}

#[test]
fn every_byte_gives_valid_json() {
    let all: Vec<u8> = (0..=255).collect();
    let record = ExchangeRecord { method: &all, target: &all, request_id: Some(&all), ..record() };
    let line = line(&record, true);
    serde_json::from_str::<Value>(&line).unwrap();
}

#[test]
fn long_texts_are_cut() {
    let long = vec![b'a'; 100_000];
    let value: Value =
        serde_json::from_str(&line(&ExchangeRecord { target: &long, ..record() }, false)).unwrap();
    assert_eq!(value["path"].as_str().unwrap().len(), ACCESS_LOG_TEXT_BYTES_MAX);
}

#[test]
fn numbers_and_addresses() {
    for value in [0, 9, 10, 1_234_567_890, u64::MAX] {
        let mut out = Vec::new();
        decimal(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
    }
    for client in ["0.0.0.0", "192.0.2.255", "::1", "2001:db8::7"] {
        let record = ExchangeRecord { client: Some(client.parse().unwrap()), ..record() };
        let value: Value = serde_json::from_str(&line(&record, false)).unwrap();
        assert_eq!(value["client"], json!(client));
    }
}

#[test]
fn time_follows_the_clock() {
    let mut second = SecondText::default();
    for (millis, expected) in [
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (1_700_000_000_999, "2023-11-14T22:13:20.999Z"),
        (1_700_000_001_000, "2023-11-14T22:13:21.000Z"),
        (1_700_000_000_500, "2023-11-14T22:13:20.500Z"),
    ] {
        let mut out = Vec::new();
        second.write(&mut out, Duration::from_millis(millis));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_relay_has_a_line_of_its_own() {
    let record = RelayRecord {
        client: Some([127, 0, 0, 1].into()),
        protocol: "tls",
        listener: "tenants",
        server_name: Some("a.example"),
        route: "a",
        cluster: "a",
        endpoint: "127.0.0.1:443",
        outcome: Outcome::Failed { kind: FailureKind::IdleTimeout, side: Side::Gateway },
        attempts: 2,
        received_bytes: 7,
        sent_bytes: 1_024,
        duration: Duration::from_micros(12_034),
        revision: 3,
    };
    let mut out = Vec::new();
    write_relay(
        &mut out,
        &record,
        Duration::from_millis(1_700_000_000_123),
        &mut SecondText::default(),
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"time":"2023-11-14T22:13:20.123Z","client":"127.0.0.1","protocol":"tls","#,
            r#""listener":"tenants","server_name":"a.example","route":"a","cluster":"a","#,
            r#""endpoint":"127.0.0.1:443","outcome":"failed","failure":"idle_timeout","#,
            r#""attempts":2,"received_bytes":7,"sent_bytes":1024,"duration_ms":12.034,"#,
            r#""revision":3}"#,
            "\n"
        )
    );
}
