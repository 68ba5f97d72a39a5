use super::*;
use crate::load::output::sample;

/// Where an element or the end of one stands outside of another, the text is no XML.
#[track_caller]
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut seen) = (Vec::<String>::new(), Vec::new());
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>') && !text.contains('"') || text.contains('\n'), "{piece}");
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap().to_owned();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        seen.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    seen
}

#[test]
fn each_assertion_is_a_case() {
    let xml = junit(&sample::document(), &sample::provenance());
    let elements = elements(&xml);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("testsuite"), count("testcase"), count("failure")), (1, 3, 1), "{xml}");
    for part in [
        "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"3.000\"",
        "timestamp=\"2026-11-24T04:23:57\"",
        "name=\"p99&lt;10ms\" time=\"3.000\"/>",
        "<failure message=\"`error_rate&lt;0.1%` does not hold\" type=\"failure\">",
        "value=\"http://127.0.0.1:9000/?a=1&amp;b=&quot;2&quot;\"",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

#[test]
fn an_invalid_run_is_an_error() {
    let mut document = sample::document();
    document.valid = false;
    document.invalid_reasons = vec!["the generator was \u{1} late & slow".to_owned()];
    let xml = junit(&document, &sample::provenance());
    assert!(elements(&xml).contains(&"error".to_owned()));
    assert!(xml.contains("errors=\"1\"") && xml.contains("was \u{fffd} late &amp; slow"), "{xml}");
}
