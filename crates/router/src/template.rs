//! Path templates: text → segments.

use crate::PARAMETERS_MAX;
use crate::error::CompileErrorKind;

/// Segments of a template or prefix at most. The search descends once per segment.
pub const SEGMENTS_MAX: usize = 64;

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Parameter {
        name: String,
        pattern: Option<String>,
    },
    /// The rest of the path; only at the end.
    Rest {
        name: String,
    },
}

/// A parsed template or prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(text: &str) -> Result<Self, CompileErrorKind> {
        let mut rest = Some(check_path(text)?);
        let mut segments = Vec::new();
        while let Some(text) = rest {
            let (segment, next) = take_segment(text)?;
            if let (Segment::Rest { name }, Some(_)) = (&segment, next) {
                return Err(CompileErrorKind::RestNotLast(name.clone()));
            }
            segments.push(segment);
            rest = next;
        }
        let template = Self { segments };
        template.check()?;
        Ok(template)
    }

    /// Parses a prefix. `/` has no segment.
    pub(crate) fn of_prefix(text: &str) -> Result<Self, CompileErrorKind> {
        check_path(text)?;
        let text = text.strip_suffix('/').unwrap_or(text);
        let segments = match text.strip_prefix('/') {
            Some(inner) => inner.split('/').map(|text| Segment::Literal(text.to_owned())).collect(),
            None => Vec::new(),
        };
        let template = Self { segments };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), CompileErrorKind> {
        if self.segments.len() > SEGMENTS_MAX {
            return Err(CompileErrorKind::TooManySegments);
        }
        let names: Vec<&str> = self.names().collect();
        if names.len() > PARAMETERS_MAX {
            return Err(CompileErrorKind::TooManyParameters);
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(CompileErrorKind::ParameterTwice((*name).to_owned()));
            }
        }
        Ok(())
    }

    /// Parameter names in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter { name, .. } | Segment::Rest { name } => Some(name.as_str()),
        })
    }

    pub(crate) fn has_rest(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest { .. }))
    }

    /// Literal text, with one slash per segment. `/` alone counts one.
    pub(crate) fn literal_bytes(&self) -> usize {
        let literals = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => text.len() + 1,
            Segment::Parameter { .. } | Segment::Rest { .. } => 1,
        });
        literals.sum::<usize>().max(1)
    }

    pub(crate) fn patterns(&self) -> usize {
        let with_pattern =
            |segment: &&Segment| matches!(segment, Segment::Parameter { pattern: Some(_), .. });
        self.segments.iter().filter(with_pattern).count()
    }
}

/// Gives the path without its first slash.
pub(crate) fn check_path(text: &str) -> Result<&str, CompileErrorKind> {
    // `?` and `#` end a path, except that a parameter's pattern may contain them.
    let literal_end = text.find('{').unwrap_or(text.len());
    match text.strip_prefix('/') {
        Some(inner) if !text[..literal_end].contains(['?', '#']) => Ok(inner),
        _ => Err(CompileErrorKind::Path(text.to_owned())),
    }
}

/// Splits off one segment; the second part is what follows its slash.
fn take_segment(text: &str) -> Result<(Segment, Option<&str>), CompileErrorKind> {
    let Some(inner) = text.strip_prefix('{') else {
        let (literal, rest) = split_at_slash(text);
        return match literal.contains(['{', '}']) {
            true => Err(CompileErrorKind::Segment(literal.to_owned())),
            false if literal.contains(['?', '#']) => {
                Err(CompileErrorKind::Path(literal.to_owned()))
            }
            false => Ok((Segment::Literal(literal.to_owned()), rest)),
        };
    };
    let wrong = || CompileErrorKind::Segment(text.to_owned());
    let end = closing_brace(inner).ok_or_else(wrong)?;
    let rest = match &inner[end + 1..] {
        "" => None,
        after => Some(after.strip_prefix('/').ok_or_else(wrong)?),
    };
    Ok((parameter(&inner[..end])?, rest))
}

fn split_at_slash(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(literal, rest)| (literal, Some(rest)))
}

/// Where the parameter ends: the pattern may contain braces, escapes and classes of its own.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_class = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'[' => in_class = true,
            b']' => in_class = false,
            b'{' if !in_class => depth += 1,
            b'}' if !in_class && depth == 0 => return Some(at),
            b'}' if !in_class => depth -= 1,
            _ => {}
        }
    }
    None
}

fn parameter(text: &str) -> Result<Segment, CompileErrorKind> {
    if let Some((name, pattern)) = text.split_once(':') {
        if pattern.is_empty() {
            return Err(CompileErrorKind::Pattern {
                pattern: String::new(),
                reason: "is empty".to_owned(),
            });
        }
        return Ok(Segment::Parameter {
            name: check_name(name)?,
            pattern: Some(pattern.to_owned()),
        });
    }
    match text.strip_suffix('*') {
        Some(name) => Ok(Segment::Rest { name: check_name(name)? }),
        None => Ok(Segment::Parameter { name: check_name(text)?, pattern: None }),
    }
}

fn check_name(name: &str) -> Result<String, CompileErrorKind> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(CompileErrorKind::ParameterName(name.to_owned()));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
