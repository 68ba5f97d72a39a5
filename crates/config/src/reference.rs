//! The declared format as a page of Markdown.

use std::fmt::Write;

use crate::format::{FILE, Key, Need, Rule, Shape, Table, visit_tables};
use crate::scalar::words;

const INTRODUCTION: &str = "\
# Configuration reference

This page is generated from the declaration of the format in `crates/config/src/format/`; change
that, then run `UPDATE_EXPECT=1 cargo test -p bulkhead-config`. Complete files are in
[`examples/`](../examples/), the [JSON Schema](config.schema.json) is for editors.

The file is YAML 1.2; JSON is a subset of it. Anchors and aliases are understood, merge keys, tags
and several documents in a file are not. A key that the format does not know is an error, and so is
a key given twice. `bulkhead check FILE` says what is wrong, where, and what was probably meant.

- A *duration* is written with units, longest first: `250ms`, `5s`, `1m30s`, `2h`, `1d`.
- A *size* is a number of bytes, or has a unit: `64KiB`, `1MiB`, `16kB`, `1MB`.
- A *share* is a whole number of percent: `20%`.
- `off` turns off what can be turned off.
- Names of files are relative to the folder that the configuration is in.
- Secrets never stand in the file: it names a file or an environment variable that holds them.

Limits: 16 MiB, 200,000 values (an alias counts as what it stands for), 64 levels.
";

/// The reference of the configuration file, in Markdown.
pub fn reference() -> String {
    reference_of(&FILE, INTRODUCTION)
}

/// The reference of a declared format, in Markdown, behind `introduction`.
pub fn reference_of(file: &'static Table, introduction: &str) -> String {
    let mut sections: Vec<(&'static Table, Vec<String>)> = Vec::new();
    visit_tables(file, &mut |path, table| {
        let path = path.to_owned();
        match sections.iter_mut().find(|(known, _)| known.name == table.name) {
            Some((_, paths)) => paths.push(path),
            None => sections.push((table, vec![path])),
        }
    });
    let mut page = introduction.to_owned();
    for (table, paths) in sections {
        page.push_str(&section(table, &paths));
    }
    page
}

fn section(table: &Table, paths: &[String]) -> String {
    let mut section = format!("\n## {}\n\n{}", table.name, escape(table.about));
    let paths: Vec<String> = paths.iter().filter(|path| !path.is_empty()).cloned().collect();
    if !paths.is_empty() {
        let listed: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        section.push_str(&format!(" Stands at {}.", listed.join(", ")));
    }
    for rule in table.rules {
        let (how, names) = match rule {
            Rule::ExactlyOne(names) => ("Exactly one", names),
            Rule::AtLeastOne(names) => ("At least one", names),
        };
        let listed = words(names.iter().map(|name| (*name).to_owned()));
        section.push_str(&format!(" {how} of {listed} is given."));
    }
    section.push_str("\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    for key in table.keys {
        section.push_str(&row(key));
    }
    section
}

fn row(key: &Key) -> String {
    let default = match key.need {
        Need::Required => "required".to_owned(),
        Need::Optional => "–".to_owned(),
        Need::Default(text) => format!("`{text}`"),
    };
    let (value, about) = (describe(&key.shape), escape(key.about));
    let mut row = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(row, "| `{}` | {value} | {default} | {about} |", key.name);
    row
}

/// What may stand at a key, with links to the tables.
fn describe(shape: &Shape) -> String {
    match *shape {
        Shape::Scalar(scalar) => escape(&scalar.expected()),
        Shape::Table(table) => format!("[{0}](#{0})", table.name),
        Shape::List { item, .. } => format!("list of: {}", describe(item)),
        Shape::Map { key, value } => {
            format!("mapping of {} to {}", escape(&key.expected()), describe(value))
        }
        Shape::Either(first, second) => format!("{}; or {}", describe(first), describe(second)),
        Shape::OrOff(inner) => format!("{}; or `off`", describe(inner)),
        Shape::Json => "mapping, or JSON text".to_owned(),
    }
}

/// A bar would end the cell, even in code.
fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
