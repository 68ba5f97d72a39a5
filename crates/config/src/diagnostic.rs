//! What is wrong with a configuration, where, and what to write instead.
//!
//! A diagnostic shows the line it is about, but never a line or a value that may hold a secret.

mod report;

pub use report::Report;

use std::fmt;

/// A place in the file: from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Characters.
    pub width: usize,
}

/// Whether the configuration can be used in spite of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but hardly does what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as its name was given.
    pub file: String,
    /// Line, from 1; 0 if it is about no file.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the tree, e.g. `routes[2].filters[0].jwt.providers[0]`; empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What may stand there.
    pub expected: Option<String>,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// The line with the fault; `None` if there is none, or if it may hold a secret.
    pub source: Option<String>,
    /// Characters that the fault takes up in `source`, at least 1.
    pub width: usize,
    /// Column of the fault in `source`, which may be cut out of a longer line.
    pub(crate) source_column: usize,
    /// How much of the line may be shown.
    pub(crate) show: Show,
}

/// How much of its line a diagnostic shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// All of it.
    Line,
    /// What follows the key may be a secret.
    UpToKey,
    /// Nothing.
    Nothing,
}

impl Diagnostic {
    /// A diagnostic about something that was not in a file.
    pub(crate) fn without_file(message: String) -> Self {
        Self {
            severity: Severity::Error,
            file: String::new(),
            line: 0,
            column: 0,
            path: String::new(),
            message,
            expected: None,
            suggestion: None,
            remedy: None,
            source: None,
            width: 1,
            source_column: 1,
            show: Show::Nothing,
        }
    }

    /// Says what may stand there.
    pub fn expected(&mut self, expected: impl Into<String>) -> &mut Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what was probably meant.
    pub fn suggest(&mut self, suggestion: impl Into<String>) -> &mut Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Says what to do.
    pub fn remedy(&mut self, remedy: impl Into<String>) -> &mut Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Limits how much of the line is shown.
    pub fn show(&mut self, show: Show) -> &mut Self {
        self.show = show;
        self
    }

    /// The place it is about.
    pub(crate) fn span(&self) -> Span {
        Span { line: self.line, column: self.column, width: self.width }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        let mut margin = String::new();
        if let Some(source) = &self.source {
            let number = self.line.to_string();
            margin = " ".repeat(number.len());
            // A tab in front of the fault must be as wide in the line with the caret.
            let indent: String = source
                .chars()
                .take(self.source_column.saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let caret = "^".repeat(self.width.max(1));
            write!(f, "\n{margin} |\n{number} | {source}\n{margin} | {indent}{caret}")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\n{margin} = help: did you mean `{suggestion}`?")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n{margin} = help: {remedy}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "\n{margin} = expected: {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// Everything that is wrong, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            write!(f, "{diagnostic}\n\n")?;
        }
        match self.0.len() {
            1 => f.write_str("1 error"),
            count => write!(f, "{count} errors"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// `text` in backticks, shortened, without control characters; nothing of it if it may be a secret.
pub fn quote(text: &str) -> String {
    if looks_secret(text) { "this text".to_owned() } else { quote_name(text) }
}

/// The name of a key in backticks. It may say `secret` without being one.
pub fn quote_name(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    if text.is_empty() {
        return "the empty text".to_owned();
    }
    if has_encoded_run(text) {
        return "`…`".to_owned();
    }
    let mut shown: String = text
        .chars()
        .take(CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Whether a line or value may hold a secret: it names one, or has a long run of the characters
/// that keys are encoded with.
pub(crate) fn looks_secret(text: &str) -> bool {
    const WORDS: [&str; 6] =
        ["secret", "private_key", "privatekey", "password", "credential", "-----begin"];
    let lower = text.to_ascii_lowercase();
    if WORDS.iter().any(|word| lower.contains(word)) {
        return true;
    }
    has_encoded_run(text)
}

/// Whether `text` has a long run of the characters that keys are encoded with.
fn has_encoded_run(text: &str) -> bool {
    const RUN_MIN: usize = 32;
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=-_".contains(c))).any(|run| {
        run.len() >= RUN_MIN
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests;
