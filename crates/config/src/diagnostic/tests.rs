use super::{Diagnostic, Report, Span, looks_secret, quote};

#[test]
fn secrets_are_recognised() {
    let secret = [
        "secret: a",
        "private_key: |",
        "Password: a",
        "-----BEGIN PRIVATE KEY-----",
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "k: Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ",
    ];
    for text in secret {
        assert!(looks_secret(text), "{text}");
        assert_eq!(quote(text), "this text");
    }
    for text in
        ["address: 127.0.0.1:80", "a-very-long-name-of-words-without-any-digit", "[a, b, c]"]
    {
        assert!(!looks_secret(text), "{text}");
    }
}

#[test]
fn quoted_text_is_short_and_printable() {
    assert_eq!(quote("a\nb"), "`a\u{fffd}b`");
    assert_eq!(quote(""), "the empty text");
    assert_eq!(quote(&"x".repeat(80)), format!("`{}…`", "x".repeat(60)));
}

/// Renders an error about `width` characters from `column` on of `text`'s first line.
fn render(text: &str, column: usize, width: usize) -> String {
    let mut report = Report::new("a.yaml", text);
    report.error(Span { line: 1, column, width }, "wrong");
    let (errors, _) = report.finish(None);
    errors[0].to_string()
}

#[test]
fn the_caret_stands_below_the_fault() {
    assert_eq!(render("ab: c", 5, 1), "a.yaml:1:5: wrong\n  |\n1 | ab: c\n  |     ^");
    assert_eq!(render("\tab", 2, 2), "a.yaml:1:2: wrong\n  |\n1 | \tab\n  | \t^^");
    assert_eq!(render("éé x", 4, 1), "a.yaml:1:4: wrong\n  |\n1 | éé x\n  |    ^");
}

#[test]
fn a_caret_never_leaves_its_line() {
    assert_eq!(render("ab", 2, 50), "a.yaml:1:2: wrong\n  |\n1 | ab\n  |  ^");
    assert_eq!(render("ab", 9, 5), "a.yaml:1:9: wrong\n  |\n1 | ab\n  |   ^");
    assert_eq!(render("", 1, 1), "a.yaml:1:1: wrong");
}

#[test]
fn long_lines_are_cut_around_the_fault() {
    let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
    let rendered = render(&text, 501, 1);
    let lines: Vec<&str> = rendered.lines().collect();
    let caret = lines[3].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[2].chars().nth(caret), Some('X'));
    assert!(lines[2].chars().count() < 140);
}

#[test]
fn without_a_file_there_is_no_place() {
    assert_eq!(Diagnostic::without_file("wrong".into()).to_string(), "wrong");
}
