use super::*;

#[track_caller]
fn check(line: &str, writer: Writer, expect: Option<(&str, bool)>) {
    let line = parse(line, writer);
    let found = line.as_ref().map(|line| (line.request.as_str(), line.taken));
    assert_eq!(found, expect);
}

#[test]
fn every_writer_is_understood() {
    check("GET /outer001?x 200 127.0.0.1:80", Writer::Proxy, Some(("GET /outer001", true)));
    check("GET http://b.test/outer001 200 be/one", Writer::Proxy, Some(("GET /outer001", true)));
    check("- - 400 -", Writer::Proxy, Some(("", false)));
    check("<BADREQ> <BADREQ> 400 fe/<NOSRV>", Writer::Proxy, Some(("", false)));
    check("GET /outer001 400 -", Writer::Proxy, Some(("GET /outer001", false)));
    check("[notice] something else", Writer::Proxy, None);
    check("POST /outer001 5", Writer::Hyper, Some(("POST /outer001", true)));
    check("<bad>", Writer::Hyper, Some(("", false)));
    let record = r#"{"method":"GET","path":"/a","endpoint":"127.0.0.1:1","status":200}"#;
    check(record, Writer::Bulkhead, Some(("GET /a", true)));
    let refused = r#"{"method":"GET","path":"/a","endpoint":"","status":404}"#;
    check(refused, Writer::Bulkhead, Some(("GET /a", false)));
    check("bulkhead: ready", Writer::Bulkhead, None);
}

#[test]
fn nameless_lines_belong_to_the_next_marker() {
    let line = |request: &str, taken| Line { request: request.to_owned(), taken };
    let lines = [
        line("GET /outer001", true),
        line("", false),
        line("GET /marker001", true),
        line("OPTIONS *", true),
        line("GET /marker002", true),
    ];
    let cases = sort(lines.into_iter(), Place::Back);
    assert_eq!(cases["001"], [Seen::Request("GET /outer001".into()), Seen::Bad]);
    assert_eq!(cases["002"], [Seen::Request("OPTIONS *".into())]);
}
