use super::super::Source;
use super::check;

fn problems(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    check(&Source { path: path.to_owned(), text: text.to_owned() }, &mut problems);
    problems
}

#[test]
fn each_rule_bites_and_spares() {
    for (path, text, count) in [
        ("crates/codec/src/frame.rs", "//! Frames.\n", 0),
        ("crates/codec/src/frame.rs", "fn f() {}\n", 1),
        ("crates/codec/src/frame/tests.rs", "fn f() {}\n", 0),
        ("crates/codec/src/util.rs", "//! All sorts.\n", 1),
        ("crates/codec/src/clock.rs", "//! C.\nlet a = Instant::now();\n", 1),
        ("crates/codec/src/clock.rs", "//! C.\n// not Instant::now()\n", 0),
        ("crates/load/src/clock.rs", "//! C.\nlet a = Instant::now();\n", 0),
        ("crates/load/src/clock.rs", "//! C.\ntodo!()\n", 1),
        ("crates/load/tests/it/main.rs", "let p = \"/home/me/x\";\n", 1),
    ] {
        assert_eq!(problems(path, text).len(), count, "{path}: {text}");
    }
}
