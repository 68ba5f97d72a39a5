//! The checks as JUnit XML, as build servers read it: a test case for each.

use std::fmt::Write;

use crate::page::{escape, number};

use super::document::Document;
use super::verdict::Aspect;

const SUITE: &str = "bulkhead.prove";

/// One suite. What the gateway did not keep is a failure; what keeps the run from saying anything is an
/// error.
pub(crate) fn render(document: &Document) -> String {
    let is_failure = |aspect| aspect == Aspect::Hypothesis;
    let bad = |failure| {
        let checks = document.checks.iter().filter(|check| !check.pass);
        checks.filter(|check| is_failure(check.aspect) == failure).count()
    };
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\"",
        document.checks.len(),
        bad(true),
        bad(false),
        document.duration_s
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n\
         <testsuite name=\"{SUITE}\" {counts} skipped=\"0\">\n<properties>\n"
    );
    let seed = document.seed.to_string();
    for (name, value) in [
        ("profile", document.profile.as_str()),
        ("seed", seed.as_str()),
        ("command", document.command.as_str()),
    ] {
        let _ = writeln!(xml, "<property name=\"{name}\" value=\"{}\"/>", escape(value));
    }
    xml += "</properties>\n";
    for check in &document.checks {
        let _ = write!(xml, "<testcase classname=\"{SUITE}\" name=\"{}\"", check.name);
        if check.pass {
            xml += "/>\n";
            continue;
        }
        let element = if is_failure(check.aspect) { "failure" } else { "error" };
        let message = format!("{}, must be {}", number(check.value), check.limit);
        let _ = writeln!(
            xml,
            ">\n<{element} message=\"{}\" type=\"{element}\">{}</{element}>\n</testcase>",
            escape(&message),
            escape(check.meaning)
        );
    }
    xml + "</testsuite>\n</testsuites>\n"
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::prove::document::tests::document;

    #[test]
    fn failures_and_errors_are_told_apart() {
        let mut document = document();
        let clean = render(&document);
        assert!(clean.contains("failures=\"0\" errors=\"0\"") && !clean.contains("<failure"));
        for (name, element) in [("requests_failed", "<failure"), ("workers_killed", "<error")] {
            let check = document.checks.iter_mut().find(|check| check.name == name).unwrap();
            check.pass = false;
            assert!(render(&document).contains(element));
        }
        assert!(render(&document).contains("failures=\"1\" errors=\"1\""));
    }
}
