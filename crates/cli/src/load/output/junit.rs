//! JUnit XML, as build servers read it: a test case for each assertion, and one that the run is valid.

use std::fmt::Write;

use bulkhead_message::CivilTime;

use super::super::summary;
use super::{Document, Provenance};

const SUITE: &str = "bulkhead.load";

/// One suite. An assertion that does not hold is a failure; a run that says nothing about its target
/// is an error, whatever its assertions say.
pub(crate) fn junit(document: &Document, provenance: &Provenance) -> String {
    let failures = document.assertions.iter().filter(|judged| !judged.holds).count();
    let (tests, errors) = (document.assertions.len() + 1, usize::from(!document.valid));
    let time = document.duration_s;
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    let started = provenance.ended_unix_s.saturating_sub(time.ceil() as u64);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites {counts} time=\"{time:.3}\">\n\
         <testsuite name=\"{SUITE}\" {counts} skipped=\"0\" time=\"{time:.3}\" timestamp=\"{}\" \
         hostname=\"localhost\">\n<properties>\n",
        CivilTime::from_unix(started).iso()
    );
    for (name, value) in [
        ("target", document.target.as_str()),
        ("seed", &document.seed.to_string()),
        ("command", &provenance.command),
        ("version", &provenance.version),
    ] {
        let _ = writeln!(xml, "<property name=\"{name}\" value=\"{}\"/>", escape(value));
    }
    xml += "</properties>\n";
    let invalid = (!document.valid).then(|| document.invalid_reasons.join("; "));
    case(&mut xml, "the run is valid", time, invalid.map(|reasons| ("error", reasons)));
    for judged in &document.assertions {
        let failed =
            (!judged.holds).then(|| ("failure", format!("`{}` does not hold", judged.assertion)));
        case(&mut xml, &judged.assertion, time, failed);
    }
    let _ = write!(
        xml,
        "<system-out>{}</system-out>\n</testsuite>\n</testsuites>\n",
        escape(&summary(document))
    );
    xml
}

fn case(xml: &mut String, name: &str, time: f64, bad: Option<(&str, String)>) {
    let name = escape(name);
    let _ = write!(xml, "<testcase classname=\"{SUITE}\" name=\"{name}\" time=\"{time:.3}\"");
    match bad {
        None => *xml += "/>\n",
        Some((element, message)) => {
            let message = escape(&message);
            let _ = writeln!(
                xml,
                ">\n<{element} message=\"{message}\" type=\"{element}\">{message}</{element}>\n\
                 </testcase>"
            );
        }
    }
}

fn summary(document: &Document) -> String {
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = summary::print(document, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Text as content or attribute; characters that XML 1.0 §2.2 forbids become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped.push(character),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
