//! Collects diagnostics while a file is read, and completes them at its end.

use std::collections::HashSet;

use super::{Diagnostic, Severity, Show, Span, looks_secret};
use crate::yaml::{self, Node};

/// More diagnostics than anybody reads at once.
const DIAGNOSTICS_MAX: usize = 100;
/// How many are looked for: some turn out to be the same.
const FOUND_MAX: usize = 300;
/// Characters of a line that are shown around the fault.
const LINE_CHARACTERS_MAX: usize = 120;

/// Diagnostics of one file.
#[derive(Debug)]
pub struct Report<'a> {
    file: &'a str,
    text: &'a str,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// An empty report about `text`, which came from `file`.
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Whether further errors are hardly worth describing: most of them will not be shown.
    pub fn is_full(&self) -> bool {
        self.errors.len() > FOUND_MAX
    }

    /// Adds an error; the caller completes it.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let found = self.diagnostic(Severity::Error, span, message.into());
        push(&mut self.errors, found)
    }

    /// Adds a warning; the caller completes it.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let found = self.diagnostic(Severity::Warning, span, message.into());
        push(&mut self.warnings, found)
    }

    fn diagnostic(&self, severity: Severity, span: Span, message: String) -> Diagnostic {
        Diagnostic {
            severity,
            file: self.file.to_owned(),
            line: span.line,
            column: span.column,
            width: span.width.max(1),
            source_column: span.column,
            show: Show::Line,
            ..Diagnostic::without_file(message)
        }
    }

    /// Errors and warnings in the order of the file, each once, with their paths and lines.
    pub(crate) fn finish(self, root: Option<&Node>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let Self { text, errors, warnings, .. } = self;
        let (mut errors, mut warnings) = (in_order(errors), in_order(warnings));
        if errors.is_empty() && warnings.is_empty() {
            return (errors, warnings);
        }
        let lines: Vec<&str> = text.lines().collect();
        let spans = errors.iter().chain(&warnings).map(|found| (found.line, found.column));
        let paths = root.map(|root| yaml::paths(root, spans.collect())).unwrap_or_default();
        for found in errors.iter_mut().chain(&mut warnings) {
            if found.path.is_empty()
                && let Some(path) = paths.get(&(found.line, found.column))
            {
                found.path.clone_from(path);
            }
            if let Some(line) = found.line.checked_sub(1).and_then(|index| lines.get(index)) {
                show_line(found, line);
            }
        }
        (errors, warnings)
    }
}

/// Adds one; the last place is used again and again when there are too many.
fn push(list: &mut Vec<Diagnostic>, found: Diagnostic) -> &mut Diagnostic {
    list.truncate(FOUND_MAX);
    list.push(found);
    let last = list.len() - 1;
    &mut list[last]
}

/// In the order of the file. What is wrong behind an anchor was found at each alias: once is enough.
fn in_order(mut list: Vec<Diagnostic>) -> Vec<Diagnostic> {
    list.sort_by_key(Diagnostic::span);
    let mut seen = HashSet::new();
    list.retain(|found| seen.insert((found.line, found.column, found.message.clone())));
    list.truncate(DIAGNOSTICS_MAX);
    list
}

/// Gives `found` as much of its line as may be shown.
fn show_line(found: &mut Diagnostic, line: &str) {
    let line = line.trim_end();
    let start = found.column.saturating_sub(1);
    let characters = line.chars().count();
    found.width = found.width.clamp(1, characters.saturating_sub(start).max(1));
    let before: String = line.chars().take(start).collect();
    let key_end = start + found.width;
    let shown = match found.show {
        Show::Nothing => return,
        Show::UpToKey if looks_secret(&before) => return,
        Show::UpToKey => {
            let key: String = line.chars().take(key_end).collect();
            if characters > key_end { format!("{key}: …") } else { key }
        }
        Show::Line if looks_secret(line) => return,
        Show::Line => line.to_owned(),
    };
    if shown.chars().count() <= LINE_CHARACTERS_MAX {
        found.source = Some(shown);
        return;
    }
    let from = start.saturating_sub(LINE_CHARACTERS_MAX / 3);
    let cut: String = shown.chars().skip(from).take(LINE_CHARACTERS_MAX).collect();
    let (lead, lead_characters) = if from > 0 { ("…", 1) } else { ("", 0) };
    let tail = if shown.chars().count() > from + LINE_CHARACTERS_MAX { "…" } else { "" };
    found.source_column = start - from + 1 + lead_characters;
    found.width = found.width.min(LINE_CHARACTERS_MAX - (start - from));
    found.source = Some(format!("{lead}{cut}{tail}"));
}
