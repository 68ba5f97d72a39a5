use super::super::Source;
use super::{Function, check, functions};

#[test]
fn functions_are_measured_whole() {
    let text = "\
trait T {
    fn without_body(&self);
}
pub(crate) fn one(
    a: u8,
) -> u8 {
    if a > 0 {
        1
    }
}
impl X {
    const fn two() -> u8 {
        2
    }
    fn three() {}
}
";
    let expected = [Function { name: "one", lines: 7 }, Function { name: "two", lines: 3 }];
    assert_eq!(functions(text), expected);
}

#[test]
fn the_ratchet_only_tightens() {
    let body = "    a();\n".repeat(80);
    let text = format!("fn long() {{\n{body}}}\n");
    let source = [Source { path: "crates/x/src/a.rs".to_owned(), text }];
    let count = |ratchet: &str| {
        let mut problems = Vec::new();
        check(&source, ratchet, &mut problems).unwrap();
        problems.len()
    };
    assert_eq!(count(""), 1);
    assert_eq!(count("# why\n82 crates/x/src/a.rs::long\n"), 0);
    assert_eq!(count("81 crates/x/src/a.rs::long\n"), 1);
}
