//! Templates and prefixes: what is parsed, what is refused.

use super::{Segment, Template};
use crate::error::CompileErrorKind as Kind;

/// Literals as they are; parameters in brackets.
fn show(template: &Template) -> String {
    let shown: Vec<String> = template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("'{text}'"),
            Segment::Parameter { name, pattern: None } => format!("<{name}>"),
            Segment::Parameter { name, pattern: Some(pattern) } => format!("<{name} ~ {pattern}>"),
            Segment::Rest { name } => format!("<{name}...>"),
        })
        .collect();
    shown.join(" ")
}

#[test]
fn templates() {
    for (text, expect) in [
        ("/", "''"),
        ("/v1/users", "'v1' 'users'"),
        ("/v1/", "'v1' ''"),
        ("//a", "'' 'a'"),
        ("/{id}", "<id>"),
        ("/v1/{id}/x/{other-id}", "'v1' <id> 'x' <other-id>"),
        (r"/{id:\d+}/a", r"<id ~ \d+> 'a'"),
        (r"/{id:[0-9a-f]{8}-[0-9]{2,4}}/a", "<id ~ [0-9a-f]{8}-[0-9]{2,4}> 'a'"),
        (r"/{id:a\}b}/a", r"<id ~ a\}b> 'a'"),
        ("/{id:[}{]+}/a", "<id ~ [}{]+> 'a'"),
        ("/{id:(a|b)?}", "<id ~ (a|b)?>"),
        ("/{id:a:b}", "<id ~ a:b>"),
        ("/files/{path*}", "'files' <path...>"),
        ("/{path*}", "<path...>"),
    ] {
        assert_eq!(show(&Template::parse(text).unwrap()), expect, "{text}");
    }
}

#[test]
fn prefixes() {
    for (text, expect) in [
        ("/", ""),
        ("/a", "'a'"),
        ("/a/", "'a'"),
        ("/a/b", "'a' 'b'"),
        ("/{a}", "'{a}'"),
        ("//", "''"),
    ] {
        let template = Template::of_prefix(text);
        assert_eq!(template.map(|t| show(&t)).unwrap_or_default(), expect, "{text}");
    }
}

#[test]
fn wrong_templates() {
    let many = |count: usize| -> String { (0..count).map(|n| format!("/{{p{n}}}")).collect() };
    for (text, expect) in [
        ("", Kind::Path(String::new())),
        ("a", Kind::Path("a".into())),
        ("/a?b", Kind::Path("/a?b".into())),
        ("/{a}/b#c", Kind::Path("b#c".into())),
        ("/a{b}", Kind::Segment("a{b}".into())),
        ("/{b}a", Kind::Segment("{b}a".into())),
        ("/{b", Kind::Segment("{b".into())),
        ("/b}", Kind::Segment("b}".into())),
        ("/{}", Kind::ParameterName(String::new())),
        ("/{a b}", Kind::ParameterName("a b".into())),
        ("/{*}", Kind::ParameterName(String::new())),
        ("/{a:}", Kind::Pattern { pattern: String::new(), reason: "is empty".into() }),
        ("/{a}/{b}/{a}", Kind::ParameterTwice("a".into())),
        ("/{a*}/b", Kind::RestNotLast("a".into())),
        ("/{a*}/", Kind::RestNotLast("a".into())),
        (&many(17), Kind::TooManyParameters),
        (&"/a".repeat(65), Kind::TooManySegments),
    ] {
        assert_eq!(Template::parse(text), Err(expect), "{text}");
    }
    assert!(Template::parse(&many(16)).is_ok());
    assert!(Template::parse(&"/a".repeat(64)).is_ok());
    assert!(Template::of_prefix("a").is_err());
}
