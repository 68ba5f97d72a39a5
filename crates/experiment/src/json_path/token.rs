//! The words of a path.

use serde_json::Value;

use super::JsonPathError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `$`, `@`, `.`, `..`, `*`, brackets, comparison, `and`, `or`, `not`, …
    Sign(&'static str),
    Name(String),
    Text(String),
    Number(Value),
    /// `true`, `false`, `null`
    Word(Value),
}

/// Longest first.
const SIGNS: [&str; 19] = [
    "..", ">=", "<=", "!=", "$", "@", ".", "*", "=", ">", "<", "{", "}", "[", "]", ":", ",", "(",
    ")",
];

/// Words with their places.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, JsonPathError> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        let letter = letters[at];
        if matches!(letter, ' ' | '\t' | '\n' | '\r') {
            at += 1;
            continue;
        }
        let (token, length) = token(&letters[at..]).ok_or_else(|| {
            let message = match letter {
                '\'' => "texts stand in double quotes in a path",
                '"' => "the text has no closing quote",
                _ => "this character means nothing here",
            };
            JsonPathError { offset: at, message }
        })?;
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

fn token(rest: &[char]) -> Option<(Token, usize)> {
    let first = *rest.first()?;
    if first == '"' {
        return quoted(rest);
    }
    if first.is_ascii_digit() || (first == '-' && rest.get(1).is_some_and(char::is_ascii_digit)) {
        return number(rest);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let name: String =
            rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
        let length = name.len();
        return Some((word(name), length));
    }
    if first == '?' {
        return Some((Token::Sign("?"), 1));
    }
    let start: String = rest.iter().take(2).collect();
    let sign = SIGNS.into_iter().find(|sign| start.starts_with(sign))?;
    Some((Token::Sign(sign), sign.len()))
}

fn word(name: String) -> Token {
    match name.as_str() {
        "and" => Token::Sign("and"),
        "or" => Token::Sign("or"),
        "not" => Token::Sign("not"),
        "true" => Token::Word(Value::Bool(true)),
        "false" => Token::Word(Value::Bool(false)),
        "null" => Token::Word(Value::Null),
        _ => Token::Name(name),
    }
}

/// A text in double quotes. What a backslash protects stays behind it, as `jsonpath2` has it.
fn quoted(rest: &[char]) -> Option<(Token, usize)> {
    let mut at = 1;
    while *rest.get(at)? != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    Some((Token::Text(rest[1..at].iter().collect()), at + 1))
}

fn number(rest: &[char]) -> Option<(Token, usize)> {
    let digits = |from: usize| rest[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = usize::from(rest[0] == '-');
    // A number does not go on behind a leading zero.
    end += if rest[end] == '0' { 1 } else { digits(end) };
    if rest.get(end) == Some(&'.') && rest.get(end + 1).is_some_and(char::is_ascii_digit) {
        end += 1 + digits(end + 1);
    }
    if matches!(rest.get(end), Some('e' | 'E')) {
        let sign = usize::from(matches!(rest.get(end + 1), Some('+' | '-')));
        if rest.get(end + 1 + sign).is_some_and(char::is_ascii_digit) {
            end += 1 + sign + digits(end + 1 + sign);
        }
    }
    let text: String = rest[..end].iter().collect();
    Some((Token::Number(serde_json::from_str(&text).ok()?), end))
}
