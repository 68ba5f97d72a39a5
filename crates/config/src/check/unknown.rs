//! Keys that the format does not know: what was meant, or where they belong.

use crate::diagnostic::{Diagnostic, Report, Show, quote_name};
use crate::format::{Table, homes};
use crate::nearest::nearest;
use crate::scalar::words;
use crate::yaml::{Kind, Node};

/// Reports a key that `table` at `place` in `file` does not know. Gives the keys that were
/// probably meant, which need not be reported as missing.
pub(super) fn unknown_key(
    report: &mut Report<'_>,
    key: &Node,
    (file, table): (&'static Table, &'static Table),
    place: &str,
) -> Vec<&'static str> {
    let Kind::Scalar { text: name, .. } = key.kind() else { return Vec::new() };
    let name = name.as_str();
    let full = report.is_full();
    let place = if place.is_empty() {
        "at the top of the file".to_owned()
    } else {
        format!("in `{place}`")
    };
    let message = format!("unknown key {} {place}", quote_name(name));
    let found = report.error(key.span(), message).show(Show::UpToKey);
    if full {
        return Vec::new();
    }
    found.expected(words(table.keys.iter().map(|key| key.name.to_owned())));
    if name == "<<" {
        found.remedy("YAML 1.2 has no merge keys: write the keys out");
        return table.keys.iter().map(|key| key.name).collect();
    }
    if table.hints.iter().any(|(hinted, _)| *hinted == name) {
        return follow_hint(found, name, table);
    }
    let homes = homes(file, name);
    let near = nearest(name, table.keys.iter().map(|key| key.name));
    // A letter too few or too many is a slip, though there be such a key elsewhere.
    let slip = near.is_some_and(|near| {
        near.strip_suffix('s') == Some(name) || name.strip_suffix('s') == Some(near)
    });
    if homes.is_empty() || slip {
        found.suggestion = near.map(str::to_owned);
        if near.is_none()
            && let Some(hinted) = nearest(name, table.hints.iter().map(|(hinted, _)| *hinted))
        {
            return follow_hint(found, hinted, table);
        }
        return near.into_iter().collect();
    }
    let homes: Vec<String> = homes.into_iter().map(|home| home_text(&home)).collect();
    found.remedy(format!("`{name}` belongs {}", homes.join(", or ")));
    Vec::new()
}

/// Where a table is, in words.
fn home_text(path: &str) -> String {
    if path.is_empty() { "at the top of the file".to_owned() } else { format!("in `{path}`") }
}

/// Says what `table` has for the key `hinted`. A hint quotes the keys that it sends the reader to.
fn follow_hint(found: &mut Diagnostic, hinted: &str, table: &Table) -> Vec<&'static str> {
    let Some((_, hint)) = table.hints.iter().find(|(name, _)| *name == hinted) else {
        return Vec::new();
    };
    found.remedy(*hint);
    let quoted = |name: &str| hint.contains(&format!("`{name}"));
    table.keys.iter().map(|key| key.name).filter(|name| quoted(name)).collect()
}
