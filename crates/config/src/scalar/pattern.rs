//! Regular expressions and path templates: are they valid, and if not, at which character.

use std::cell::RefCell;
use std::collections::HashSet;

use super::Fault;
use crate::diagnostic::quote;

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;
/// Most memory of a compiled pattern, in bytes; the router's limit.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Most segments of a template or prefix; the router's limit.
const SEGMENTS_MAX: usize = 64;
/// Most parameters of a template; the router's limit.
const PARAMETERS_MAX: usize = 16;
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
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    if let Err(error) = parser.parse(pattern) {
        return Err(describe(pattern, &error));
    }
    // As the router builds it: bytes, the whole value, bounded.
    let anchored = format!("^(?:{pattern})$");
    let built = regex::bytes::RegexBuilder::new(&anchored)
        .unicode(false)
        .size_limit(COMPILED_BYTES_MAX)
        .build();
    if built.is_err() {
        let message =
            format!("the pattern needs more than {COMPILED_BYTES_MAX} bytes when compiled");
        return Err(
            Fault::new(message).remedy("repeat less: large counts such as `{1000}` multiply")
        );
    }
    VALID.with_borrow_mut(|valid| {
        if valid.len() < REMEMBERED_MAX {
            valid.insert(pattern.to_owned());
        }
    });
    Ok(())
}

/// Says what is wrong with a pattern, and where.
fn describe(pattern: &str, error: &regex_syntax::Error) -> Fault {
    let (message, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        _ => ("it does not compile".to_owned(), None),
    };
    let fault = Fault::new(format!("invalid regular expression {}: {message}", quote(pattern)));
    let before = span.and_then(|span| pattern.get(..span.start.offset));
    let fault = Fault { offset: before.map(|before| before.chars().count()), ..fault };
    if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| pattern.contains(look)) {
        return fault.remedy("match what may stand there, not what may not");
    }
    if message.contains("Unicode") {
        return fault.remedy("values are matched as bytes: write such characters outside of `[…]`");
    }
    fault
}

/// Whether a prefix has few enough segments.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Fault> {
    if prefix.trim_end_matches('/').matches('/').count() > SEGMENTS_MAX {
        return Err(Fault::new(format!("the prefix has more than {SEGMENTS_MAX} segments")));
    }
    Ok(())
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
    let segments = segments(template)?;
    if segments.len() > SEGMENTS_MAX {
        return Err(Fault::new(format!("the template has more than {SEGMENTS_MAX} segments")));
    }
    for (offset, segment) in segments {
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
    if names.len() > PARAMETERS_MAX {
        return Err(Fault::new(format!("the template has more than {PARAMETERS_MAX} parameters")));
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
    let (mut escaped, mut in_class) = (false, false);
    for (character, (byte, c)) in template.char_indices().enumerate().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if depth > 0 => escaped = true,
            '[' if depth > 0 => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
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
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || !name.bytes().all(allowed) {
        let message = format!("{} is not the name of a parameter", quote(name));
        return Err(Fault { offset: Some(1), ..Fault::new(message) }
            .remedy("a name has letters, digits, `_` and `-`: `{id}`, `{id:[0-9]+}`, `{rest*}`"));
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
