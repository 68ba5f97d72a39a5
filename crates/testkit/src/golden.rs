//! Golden files: what came out, compared with what is committed.

use std::path::Path;

/// Compares `actual` with the file at `path`; with `UPDATE_EXPECT=1` in the environment, writes the
/// file instead.
///
/// # Panics
/// If they differ, with the first line that does, or if the file is not there.
#[track_caller]
pub fn check_golden(path: impl AsRef<Path>, actual: &str) {
    let path = path.as_ref();
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        std::fs::write(path, actual)
            .unwrap_or_else(|error| panic!("write `{}`: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!("read `{}`: {error}; UPDATE_EXPECT=1 writes it", path.display())
    });
    if let Some(difference) = first_difference(&expected, actual) {
        panic!("`{}` differs: {difference}\nUPDATE_EXPECT=1 accepts what came out", path.display());
    }
}

fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut left, mut right) = (expected.split('\n'), actual.split('\n'));
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return Some("only in their line ends".to_owned()),
            (expected, actual) if expected == actual => {}
            (expected, actual) => {
                let text = |line: Option<&str>| line.unwrap_or("(end)").to_owned();
                return Some(format!(
                    "line {number}\n  expected: {}\n  actual:   {}",
                    text(expected),
                    text(actual)
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
