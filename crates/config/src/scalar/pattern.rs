//! Regular expressions and path templates: are they valid, and if not, at which character.

use std::cell::RefCell;
use std::collections::HashSet;

use super::Fault;
use crate::diagnostic::quote;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;
/// Patterns that are remembered as valid. Large route tables repeat a handful of them.
const REMEMBERED_MAX: usize = 1_024;

thread_local! {
    /// Saves compiling the same pattern again; forgetting one costs time, nothing else.
    static VALID: RefCell<HashSet<String>> = RefCell::new(HashSet::new());
}

/// Whether `pattern` compiles; the fault has the place of the first error in it.
pub(crate) fn check_regex(pattern: &str) -> Result<(), Fault> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Fault::new(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes")));
    }
    if VALID.with_borrow(|valid| valid.contains(pattern)) {
        return Ok(());
    }
    // The same limits as the router's, which anchors the pattern in a group of its own.
    if let Err(error) = regex::Regex::new(pattern) {
        return Err(describe(pattern, &error));
    }
    VALID.with_borrow_mut(|valid| {
        if valid.len() < REMEMBERED_MAX {
            valid.insert(pattern.to_owned());
        }
    });
    Ok(())
}

/// Says what is wrong with a pattern, and where.
fn describe(pattern: &str, error: &regex::Error) -> Fault {
    if let regex::Error::CompiledTooBig(bytes_max) = error {
        return Fault::new(format!("the pattern needs more than {bytes_max} bytes when compiled"))
            .remedy("repeat less: large counts such as `{1000}` multiply");
    }
    let (message, span) = match regex_syntax::parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => {
            (error.kind().to_string(), Some(error.span().start.offset))
        }
        Err(regex_syntax::Error::Translate(error)) => {
            (error.kind().to_string(), Some(error.span().start.offset))
        }
        _ => ("it does not compile".to_owned(), None),
    };
    let fault = Fault::new(format!("invalid regular expression {}: {message}", quote(pattern)));
    let offset = span.and_then(|bytes| pattern.get(..bytes)).map(|before| before.chars().count());
    let fault = Fault { offset, ..fault };
    if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| pattern.contains(look)) {
        return fault.remedy("look-around has no bounded cost and is not supported");
    }
    if pattern.contains("(?i") {
        return fault.remedy("case is ignored for ASCII letters only: write `(?i-u)`");
    }
    fault
}

/// Whether `template` is a path with well-formed parameters.
pub(crate) fn check_template(template: &str) -> Result<(), Fault> {
    if template.len() > PATTERN_BYTES_MAX {
        return Err(Fault::new(format!("the template is longer than {PATTERN_BYTES_MAX} bytes")));
    }
    if !template.starts_with('/') {
        return Err(Fault::new(format!("{} does not start with `/`", quote(template)))
            .suggest(format!("/{template}")));
    }
    let mut names = HashSet::new();
    let mut rest_at = None;
    for (offset, segment) in segments(template)? {
        let place = |fault: Fault| Fault {
            offset: Some(offset + fault.offset.unwrap_or_default()),
            ..fault
        };
        if let Some(rest_at) = rest_at {
            return Err(Fault {
                offset: Some(rest_at),
                ..Fault::new("a parameter that takes the rest must be the last segment")
            });
        }
        let Some(parameter) = check_segment(segment).map_err(place)? else { continue };
        if parameter.rest {
            rest_at = Some(offset);
        }
        if !names.insert(parameter.name) {
            let fault = Fault::new(format!("parameter `{}` stands twice", parameter.name));
            return Err(place(fault));
        }
    }
    Ok(())
}

/// The segments of a template with the character that each starts at. A `/` within braces does
/// not end one.
fn segments(template: &str) -> Result<Vec<(usize, &str)>, Fault> {
    let mut segments = Vec::new();
    let mut depth = 0_usize;
    let mut opened_at = 0;
    let (mut start, mut start_character) = (1, 1);
    let mut escaped = false;
    for (character, (byte, c)) in template.char_indices().enumerate().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if depth > 0 => escaped = true,
            '{' => {
                if depth == 0 {
                    opened_at = character;
                }
                depth += 1;
            }
            '}' if depth == 0 => {
                return Err(Fault { offset: Some(character), ..Fault::new("`}` without `{`") });
            }
            '}' => depth -= 1,
            '/' if depth == 0 => {
                segments.push((start_character, &template[start..byte]));
                (start, start_character) = (byte + 1, character + 1);
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(Fault { offset: Some(opened_at), ..Fault::new("`{` without `}`") });
    }
    segments.push((start_character, &template[start..]));
    Ok(segments)
}

struct Parameter<'a> {
    name: &'a str,
    rest: bool,
}

/// The parameter that a segment is, or `None` for a literal.
fn check_segment(segment: &str) -> Result<Option<Parameter<'_>>, Fault> {
    let Some(inner) = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) else {
        if let Some(offset) = segment.chars().position(|c| c == '{' || c == '}') {
            return Err(Fault {
                offset: Some(offset),
                ..Fault::new("a parameter must be a whole segment")
            }
            .remedy("match a part of a segment with `regex`"));
        }
        if let Some(offset) =
            segment.chars().position(|c| !c.is_ascii_graphic() || c == '?' || c == '#')
        {
            let message = "a path has only visible ASCII, and no query";
            return Err(Fault { offset: Some(offset), ..Fault::new(message) });
        }
        return Ok(None);
    };
    let (name, pattern) = match inner.split_once(':') {
        Some((name, pattern)) => (name, Some(pattern)),
        None => (inner, None),
    };
    let (name, rest) = match name.strip_suffix('*') {
        Some(name) if pattern.is_none() => (name, true),
        _ => (name, false),
    };
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(first) || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let message = format!("{} is not the name of a parameter", quote(name));
        return Err(Fault { offset: Some(1), ..Fault::new(message) }
            .remedy("a name has letters, digits and `_`: `{id}`, `{id:[0-9]+}`, `{rest*}`"));
    }
    if let Some(pattern) = pattern {
        let before = name.len() + 2;
        if pattern.is_empty() {
            let fault = Fault::new(format!("parameter `{name}` has an empty pattern"));
            return Err(Fault { offset: Some(before), ..fault });
        }
        check_regex(pattern).map_err(|fault| Fault {
            offset: Some(before + fault.offset.unwrap_or_default()),
            ..fault
        })?;
    }
    Ok(Some(Parameter { name, rest }))
}
