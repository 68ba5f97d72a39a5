use super::{Section, page, sections};

const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="Streams and Multiplexing" package="generic/2" id="generic/2" tests="5" skipped="1" failures="0" errors="0">
    <testcase package="generic/2" classname="a" time="0.1"></testcase>
  </testsuite>
  <testsuite name="Frame Size" package="http2/4.2" id="http2/4.2" tests="3" skipped="0" failures="2" errors="0">
  </testsuite>
</testsuites>"#;

#[test]
fn suites_are_read() {
    let found = sections(REPORT).unwrap();
    let first = Section {
        id: "generic/2".to_owned(),
        title: "Streams and Multiplexing".to_owned(),
        tests: 5,
        skipped: 1,
        failed: 0,
    };
    assert_eq!(found.first(), Some(&first));
    assert!(page(&found, "v").ends_with("| **all** | 8 | 5 | 1 | 2 |\n"));
}
