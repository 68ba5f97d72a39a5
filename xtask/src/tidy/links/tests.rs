use std::path::Path;

use super::{resolve, targets};

#[test]
fn links_are_found_outside_code() {
    let text = "[a](b.md) and ![c](d.png)\n```\n[x](y)\n```\n`[n](o)` [e](f#g)\n";
    assert_eq!(targets(text), ["b.md", "d.png", "f#g"]);
}

#[test]
fn links_are_resolved_from_their_page() {
    for (page, target, expected) in [
        ("README.md", "docs/a.md", Some("docs/a.md")),
        ("docs/a.md", "../README.md#top", Some("README.md")),
        ("docs/a.md", "#here", None),
        ("docs/a.md", "https://example.org/x", None),
    ] {
        assert_eq!(resolve(page, target).as_deref(), expected.map(Path::new), "{page} {target}");
    }
}
