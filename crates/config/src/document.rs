//! The machinery of the configuration's format, for other files of the product: a format is declared
//! as data, and parsing, diagnostics, JSON Schema and reference follow from the declaration.
//!
//! Knows no format of its own, and opens no file.

pub use crate::diagnostic::{Report, Show, Span, quote, quote_name};
pub use crate::format::{
    BOOL, DAY, FILE_NAME, Key, NAME, Need, Rule, SECOND, Shape, TEXT, Table, decimal, default,
    duration, integer, optional, required, size,
};
pub use crate::nearest::nearest;
pub use crate::reference::reference_of;
pub use crate::scalar::{Scalar, words};
pub use crate::schema::schema_of;
pub use crate::value::{Item, TableValue, Value};
pub use crate::yaml::{Kind, Node};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::{check, yaml};

/// Parses `text` by the declaration `table`, and lets `build` make of it what it is for. `file` is its
/// name in diagnostics; `needed` says what an empty file lacks. The value means something only without
/// errors, which is why it is given only then, with the warnings.
///
/// Limits: as [`crate::parse`].
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn read<T>(
    text: &str,
    file: &str,
    table: &'static Table,
    needed: &str,
    build: impl FnOnce(&Item, &mut Report<'_>) -> T,
) -> Result<(T, Vec<Diagnostic>), Diagnostics> {
    read_tree(text, file, needed, |tree, report| {
        let item = check::check(tree, table, report);
        build(&item, report)
    })
}

/// Parses YAML or JSON of a format that is not declared here, and lets `build` make of it what it is
/// for. Everything else is as in [`read`].
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn read_tree<T>(
    text: &str,
    file: &str,
    needed: &str,
    build: impl FnOnce(&Node, &mut Report<'_>) -> T,
) -> Result<(T, Vec<Diagnostic>), Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report = Report::new(file, text);
    let tree = yaml::read(text, needed, &mut report);
    let built = tree.as_ref().map(|tree| build(tree, &mut report));
    let (errors, warnings) = report.finish(tree.as_ref());
    match built {
        Some(built) if errors.is_empty() => Ok((built, warnings)),
        _ => Err(Diagnostics(errors)),
    }
}

/// Parses YAML or JSON of a format that is not ours.
///
/// Limits: as [`crate::parse`].
///
/// # Errors
/// What is wrong with it as YAML.
pub fn tree(text: &str, file: &str) -> Result<Node, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report = Report::new(file, text);
    match yaml::read(text, "it has nothing in it that could be used", &mut report) {
        Some(tree) => Ok(tree),
        None => Err(Diagnostics(report.finish(None).0)),
    }
}
