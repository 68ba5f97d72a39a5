use super::*;
use crate::Endpoint;
use crate::settings::TargetSettings;

fn options(methods: Methods) -> RecordingOptions {
    let (endpoint, _) = Endpoint::parse("http://t.example/").unwrap();
    RecordingOptions {
        target: Some(TargetSettings::new("t", endpoint, 1)),
        connections: Some(1),
        methods,
    }
}

const OWN: &str = r#"{"time":"2026-11-29T14:00:01.500Z","client":"127.0.0.1","method":"GET","authority":"a.example","path":"/x","query":"redacted","protocol":"2","route":"r","cluster":"c","endpoint":"1:2","status":404,"outcome":"complete","attempts":1,"request_bytes":0,"response_bytes":9,"duration_ms":500.000,"revision":1}
{"time":"2026-11-29T14:00:01.250Z","method":"GET","authority":"","path":"/y","query":"a=\u00e4".bad
{"time":"2026-11-29T14:00:01.250Z","method":"GET","authority":"","path":"/y","query":"a=b","status":502,"outcome":"failed","failure":"reset","duration_ms":0.250}

{"time":"2026-11-29T14:00:02Z","method":"POST","path":"/z","status":200}
"#;

#[test]
fn our_own_lines_are_read() {
    let recording = access_log(OWN.as_bytes(), "a.log", &options(Methods::Safe)).unwrap();
    let [first, second] = recording.requests() else { panic!("{recording:?}") };
    assert_eq!(
        (first.path.as_str(), first.authority.as_str(), first.status),
        ("/x", "a.example", Some(404))
    );
    assert_eq!(
        (second.path.as_str(), second.authority.as_str(), second.status),
        ("/y?a=b", "t.example", None)
    );
    assert_eq!(second.at, Duration::from_micros(249_750));
    assert_eq!((recording.skipped.count, recording.queries_left_out), (2, 1));
    let first = "line 2: it is no line of Bulkhead's access log";
    assert_eq!(recording.skipped.first.as_deref(), Some(first));
    let all = access_log(OWN.as_bytes(), "a.log", &options(Methods::All)).unwrap();
    assert_eq!(all.requests().len(), 3);
}

const COMBINED: &str = r#"127.0.0.1 - ann b [10/Oct/2000:13:55:36 -0700] "GET /a?b=%20 HTTP/1.0" 200 2326
::1 - - [10/Oct/2000:13:55:36 -0700] "HEAD /b HTTP/1.1" 304 - "-" "agent \"x\" \x41"
::1 - - [10/Oct/2000:13:55:37 -0700] "GET http://h.example/c HTTP/1.1" 499 0 "https://from/" "-"
::1 - - [10/Oct/2000:13:55:37 -0700] "\x16\x03\x01" 400 0 "-" "-"
nonsense
::1 - - [10/Oct/2000:25:55:37 -0700] "GET / HTTP/1.1" 200 0
"#;

#[test]
fn lines_of_apache_and_nginx_are_read_and_spread_over_their_second() {
    let recording = access_log(COMBINED.as_bytes(), "b.log", &options(Methods::Safe)).unwrap();
    let [first, second, third] = recording.requests() else { panic!("{recording:?}") };
    assert_eq!((first.path.as_str(), first.authority.as_str()), ("/a?b=%20", "t.example"));
    assert_eq!((second.at.as_millis(), third.at.as_millis()), (500, 1_000));
    assert_eq!(second.fields, [("user-agent".to_owned(), "agent \"x\" A".to_owned())]);
    assert_eq!(
        (third.authority.as_str(), third.path.as_str(), third.status),
        ("h.example", "/c", None)
    );
    assert_eq!(third.fields, [("referer".to_owned(), "https://from/".to_owned())]);
    assert_eq!(recording.skipped.count, 3);
    let first = "line 4: its request line is not METHOD PATH VERSION";
    assert_eq!(recording.skipped.first.as_deref(), Some(first));
}

#[test]
fn a_log_needs_a_target_and_a_usable_line() {
    let without = RecordingOptions { target: None, ..options(Methods::Safe) };
    assert!(matches!(access_log(b"", "c.log", &without), Err(RecordingError::NoTarget { .. })));
    let found = access_log(b"\n\xff\n", "c.log", &options(Methods::Safe)).unwrap_err().to_string();
    assert!(found.contains("line 2"), "{found}");
}
