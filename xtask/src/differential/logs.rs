//! What each server wrote down: its access log, read into one shape and sorted by case.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::judge::Seen;

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    Bulkhead,
    /// `METHOD TARGET STATUS UPSTREAM`; nginx and HAProxy are configured to write it.
    Proxy,
    /// `METHOD TARGET BYTES`, or `<bad>`.
    Hyper,
}

/// A line of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Method and path; empty if it could not be read.
    pub(super) request: String,
    /// It was taken: passed on, or answered as an origin does.
    pub(super) taken: bool,
}

/// Where a server stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Front,
    Back,
}

/// What a server saw of each case, by the case's number.
pub(super) fn read(path: &Path, writer: Writer, place: Place) -> Result<Cases> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(sort(text.lines().filter_map(|line| parse(line, writer)), place))
}

/// By number.
pub(super) type Cases = BTreeMap<String, Vec<Seen>>;

fn parse(line: &str, writer: Writer) -> Option<Line> {
    match writer {
        Writer::Bulkhead => {
            let record: serde_json::Value = serde_json::from_str(line).ok()?;
            let text = |name: &str| record.get(name).and_then(|value| value.as_str());
            let path = text("path").unwrap_or_default();
            let request = format!("{} {path}", text("method")?);
            Some(Line { request, taken: text("endpoint").is_some_and(|it| !it.is_empty()) })
        }
        Writer::Proxy => {
            let words: Vec<&str> = line.split(' ').collect();
            let [method, target, _status, upstream] = words.as_slice() else { return None };
            let readable = *method != "-" && *method != "<BADREQ>" && !method.is_empty();
            let request =
                if readable { format!("{method} {}", path_of(target)) } else { String::new() };
            let nobody = ["-", "<NOSRV>"].iter().any(|none| upstream.ends_with(none));
            Some(Line { request, taken: readable && !nobody })
        }
        Writer::Hyper if line == "<bad>" => Some(Line { request: String::new(), taken: false }),
        Writer::Hyper => {
            let (request, _bytes) = line.rsplit_once(' ')?;
            Some(Line { request: request.to_owned(), taken: true })
        }
    }
}

/// The path of a target in origin or absolute form, without its query.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split('?').next().unwrap_or_default()
}

/// Lines that name no case belong to the one whose marker comes next.
fn sort(lines: impl Iterator<Item = Line>, place: Place) -> Cases {
    let mut cases = Cases::new();
    let mut nameless = Vec::new();
    for line in lines {
        let seen = match (line.taken, place) {
            (true, _) => Seen::Request(line.request.clone()),
            (false, Place::Back) => Seen::Bad,
            (false, Place::Front) => continue,
        };
        match number(&line.request) {
            Some(number) if line.request.contains("/marker") => {
                cases.entry(number.to_owned()).or_default().append(&mut nameless);
            }
            Some(number) => cases.entry(number.to_owned()).or_default().push(seen),
            None => nameless.push(seen),
        }
    }
    cases
}

/// The case that a path names.
fn number(request: &str) -> Option<&str> {
    ["outer", "second", "third", "smuggled", "sentinel", "marker"].iter().find_map(|name| {
        let at = request.find(&format!("/{name}"))? + 1 + name.len();
        let digits = request.get(at..at + 3)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)
    })
}

#[cfg(test)]
mod tests;
