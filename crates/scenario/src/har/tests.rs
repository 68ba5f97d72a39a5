use super::*;

fn entry(url: &str, more: &str) -> String {
    format!(
        r#"{{"startedDateTime": "2026-11-29T14:00:00.5Z", "request": {{"url": "{url}", {more}}},
            "response": {{"status": 200, "content": {{"text": "x"}}}}}}"#
    )
}

fn read(entries: &[String]) -> Result<Recording, RecordingError> {
    let options = RecordingOptions { target: None, connections: Some(6), methods: Methods::All };
    har(&format!(r#"{{"log": {{"entries": [{}]}}}}"#, entries.join(",")), "a.har", &options)
}

#[test]
fn requests_go_to_the_servers_that_the_file_names() {
    let recording = read(&[
        entry(
            "https://a.example/x y?z#frag",
            r#""method": "GET", "httpVersion": "h2", "headers": [
                {"name": ":authority", "value": "A.example"}, {"name": ":path", "value": "/"},
                {"name": "Accept", "value": "*/*"}, {"name": "Connection", "value": "close"},
                {"name": "Content-Length", "value": "9"}, {"name": "b d", "value": "1"},
                {"name": "cookie", "value": "a=b"}, {"name": "x", "value": "a\nb"}]"#,
        ),
        entry(
            "http://b.example:81/form",
            r#""method": "POST", "httpVersion": "HTTP/1.1", "postData": {"mimeType":
                "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "c&d"}]}"#,
        ),
        entry("http://b.example:81/t", r#""method": "PUT", "postData": {"text": "{}"}"#),
    ])
    .unwrap();
    let servers: Vec<_> = recording
        .targets
        .iter()
        .map(|target| (target.name.as_str(), target.endpoint.protocol, target.connections))
        .collect();
    let expected =
        [("a.example", Protocol::Http2, Some(6)), ("b.example:81", Protocol::Http1, Some(6))];
    assert_eq!(servers, expected);
    let [first, form, text] = recording.requests() else { panic!("{recording:?}") };
    assert_eq!((first.path.as_str(), first.authority.as_str()), ("/x%20y?z", "A.example"));
    let names: Vec<&str> = first.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["accept", "cookie"]);
    assert_eq!((form.body.as_slice(), form.status), (&b"a+b=c%26d"[..], Some(200)));
    assert_eq!((text.body.as_slice(), text.target), (&b"{}"[..], 1));
    let names: Vec<&str> = recording.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["GET a.example", "POST b.example:81", "PUT b.example:81"]);
}

#[test]
fn what_cannot_be_sent_is_counted_with_the_first_reason() {
    let good = entry("http://a/", r#""method": "GET""#);
    let recording = read(&[
        good.clone(),
        "5".to_owned(),
        entry("ws://a/", r#""method": "GET""#),
        entry("http://a/", r#""method": "G T""#),
        good.replace("2026-11-29T", "yesterday "),
        entry("http://me@a/", r#""method": "GET""#),
        entry(
            "http://a/",
            r#""method": "POST", "postData": {"mimeType": "multipart/form-data",
                "params": [{"name": "a"}]}"#,
        ),
    ])
    .unwrap();
    assert_eq!(recording.requests().len(), 1);
    let first = Some("entry 2: it lacks its time or its request".to_owned());
    assert_eq!(recording.skipped, Skipped { count: 6, first });
}

#[test]
fn other_files_are_refused_with_the_place() {
    let options = RecordingOptions { target: None, connections: Some(1), methods: Methods::All };
    let found = har("{\n  \"log\": 5}", "a.har", &options).unwrap_err().to_string();
    assert!(found.starts_with("a.har:2:") && !found.contains("at line"), "{found}");
    assert!(matches!(read(&[]), Err(RecordingError::Empty { .. })));
}

#[test]
fn all_can_go_to_one_target() {
    let (endpoint, _) = Endpoint::parse("h2c://127.0.0.1:1").unwrap();
    let mut target = TargetSettings::new("mine", endpoint, 2);
    target.base = "/base".to_owned();
    let options =
        RecordingOptions { target: Some(target), connections: Some(1), methods: Methods::Safe };
    let entries = [
        entry("https://a.example/x", r#""method": "GET""#),
        entry("http://a/", r#""method": "POST""#),
    ];
    let text = format!(r#"{{"log": {{"entries": [{}]}}}}"#, entries.join(","));
    let recording = har(&text, "a.har", &options).unwrap();
    assert_eq!((recording.targets.len(), recording.skipped.count), (1, 1));
    let request = &recording.requests()[0];
    assert_eq!((request.path.as_str(), request.authority.as_str()), ("/base/x", "a.example"));
}
