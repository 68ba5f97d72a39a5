//! Paths to one value of a JSON document: the *singular queries* of RFC 9535 §2.3.5.1, which select at
//! most one node, such as `$.items[0].id` or `$['a b'][-1]`. Filters and wildcards are left out on
//! purpose: what is compared or extracted must be one value.

use serde_json::Value;

/// Steps of a path at most.
const STEPS_MAX: usize = 64;

/// A path, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    /// From the end if negative.
    Index(i64),
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPathError {
    /// Characters from the start of the text.
    pub(crate) offset: usize,
    pub(crate) message: &'static str,
}

impl JsonPath {
    /// Compiles a path.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonPathError> {
        let letters: Vec<char> = text.chars().collect();
        let fault = |offset, message| JsonPathError { offset, message };
        if letters.first() != Some(&'$') {
            return Err(fault(0, "a path begins with `$`"));
        }
        let (mut at, mut steps) = (1, Vec::new());
        while at < letters.len() {
            if steps.len() == STEPS_MAX {
                return Err(fault(at, "the path has more than 64 steps"));
            }
            let step = match letters[at] {
                '.' => name(&letters, at + 1),
                '[' => bracket(&letters, at + 1),
                _ => Err(fault(at, "`.name`, `['name']` or `[0]` is expected here")),
            };
            let (step, next) = step?;
            steps.push(step);
            at = next;
        }
        Ok(Self(steps))
    }

    /// The value at the path.
    pub(crate) fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(document, |value, step| match (step, value) {
            (Step::Name(name), Value::Object(members)) => members.get(name),
            (Step::Index(index), Value::Array(items)) => {
                let index = if *index < 0 {
                    items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
                } else {
                    usize::try_from(*index).ok()?
                };
                items.get(index)
            }
            _ => None,
        })
    }
}

type Parsed = Result<(Step, usize), JsonPathError>;

/// A name behind a dot.
fn name(letters: &[char], start: usize) -> Parsed {
    let fits = |letter: &char| letter.is_alphanumeric() || *letter == '_' || !letter.is_ascii();
    let length = letters[start..].iter().take_while(|letter| fits(letter)).count();
    let message = match letters.get(start) {
        Some('*') => "a path names one value: `*` would name many",
        Some('.') => "a path names one value: `..` would name many",
        Some(first) if first.is_ascii_digit() => "an index stands in brackets: `[0]`",
        _ if length == 0 => "a name is expected here; others than words are written `['a-b']`",
        _ => {
            let name: String = letters[start..start + length].iter().collect();
            return Ok((Step::Name(name), start + length));
        }
    };
    Err(JsonPathError { offset: start.min(letters.len().saturating_sub(1)), message })
}

/// What stands in brackets, from behind the opening one.
fn bracket(letters: &[char], start: usize) -> Parsed {
    let fail = |offset: usize, message| {
        Err(JsonPathError { offset: offset.min(letters.len().saturating_sub(1)), message })
    };
    let (step, at) = match letters.get(start) {
        Some(&quote @ ('\'' | '"')) => {
            let (mut text, mut at) = (String::new(), start + 1);
            loop {
                match (letters.get(at), letters.get(at + 1)) {
                    (Some(&letter), _) if letter == quote => break,
                    (Some('\\'), Some(&next @ ('\\' | '/' | '\'' | '"'))) => {
                        text.push(next);
                        at += 2;
                    }
                    (Some('\\'), _) => {
                        return fail(at, "of escapes, only those of quotes and `\\\\`");
                    }
                    (Some(&letter), _) => {
                        text.push(letter);
                        at += 1;
                    }
                    (None, _) => return fail(at, "the quote is not closed"),
                }
            }
            (Step::Name(text), at + 1)
        }
        Some(first) if first.is_ascii_digit() || *first == '-' => {
            let fits = |letter: &&char| letter.is_ascii_digit() || **letter == '-';
            let digits: String = letters[start..].iter().take_while(fits).collect();
            match digits.parse() {
                Ok(index) => (Step::Index(index), start + digits.len()),
                Err(_) => return fail(start, "this is no index"),
            }
        }
        Some('*' | '?' | ':') => return fail(start, "a path names one value, not many"),
        _ => return fail(start, "an index or a name in quotes is expected here"),
    };
    match letters.get(at) {
        Some(']') => Ok((step, at + 1)),
        Some(':' | ',') => fail(at, "a path names one value, not many"),
        _ => fail(at, "`]` is expected here"),
    }
}

#[cfg(test)]
mod tests;
