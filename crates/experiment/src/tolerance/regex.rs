//! Patterns as Python's `re` has them, searched by a library that has look-around and back-references.

use fancy_regex::{Regex, RegexBuilder};

/// Steps back that a search may take.
const BACKTRACK_MAX: usize = 1_000_000;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// Whether a pattern is one.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    compile(pattern).map(|_| ())
}

/// Whether the pattern matches anywhere in `text`.
pub(crate) fn search(pattern: &str, text: &str) -> Result<bool, String> {
    compile(pattern)?.is_match(text).map_err(|error| error.to_string())
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("it is longer than {} KiB", PATTERN_BYTES_MAX >> 10));
    }
    let translated = Translation::of(pattern)?;
    RegexBuilder::new(&translated)
        .backtrack_limit(BACKTRACK_MAX)
        .build()
        .map_err(|error| error.to_string())
}

/// What is written alike and means something else: `$` also matches before a last line break, `\Z` is
/// the very end, a brace that counts nothing is a brace, and in a class brackets and `&&` are letters.
struct Translation {
    letters: Vec<char>,
    at: usize,
    /// `$` is the end of each line.
    lines: bool,
    out: String,
}

impl Translation {
    fn of(pattern: &str) -> Result<String, String> {
        let mut translation = Self {
            letters: pattern.chars().collect(),
            at: 0,
            lines: has_multiline_flag(pattern),
            out: String::with_capacity(pattern.len() + 16),
        };
        while let Some(letter) = translation.next() {
            match letter {
                '\\' => translation.escape(false)?,
                '[' => translation.class()?,
                '$' if !translation.lines => translation.out.push_str(r"(?=\n?\z)"),
                '{' if !translation.counts() => translation.out.push_str(r"\{"),
                other => translation.out.push(other),
            }
        }
        Ok(translation.out)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied();
        self.at += 1;
        letter
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let letter = self.next().ok_or("a backslash stands at its end")?;
        match letter {
            'Z' if !in_class => self.out.push_str(r"\z"),
            'b' if in_class => self.out.push_str(r"\x08"),
            'A' | 'b' | 'B' if !in_class => self.keep(letter),
            'd'
            | 'D'
            | 's'
            | 'S'
            | 'w'
            | 'W'
            | 'a'
            | 'f'
            | 'n'
            | 'r'
            | 't'
            | 'v'
            | 'x'
            | 'u'
            | 'U'
            | '0'..='9' => self.keep(letter),
            letter if letter.is_ascii_alphabetic() => {
                return Err(format!("`\\{letter}` means nothing"));
            }
            // Some signs mean something behind a backslash only here.
            '<' | '>' | '\'' | '`' | ' ' | '"' | '/' | ':' | ',' | ';' | '=' | '!' | '@' | '%'
            | '_' | '\n' => self.out.push(letter),
            letter if letter.is_ascii() => self.keep(letter),
            letter => self.out.push(letter),
        }
        Ok(())
    }

    fn keep(&mut self, letter: char) {
        self.out.push('\\');
        self.out.push(letter);
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            match self.next().ok_or("a class has no end")? {
                ']' if !first => break,
                '\\' => self.escape(true)?,
                letter @ ('[' | ']' | '&' | '~') => self.keep(letter),
                '-' if self.peek() == Some('-') => self.out.push_str(r"\-"),
                other => self.out.push(other),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// Whether the brace just read begins a repetition: `{3}`, `{3,}`, `{,3}`, `{3,5}`.
    fn counts(&self) -> bool {
        let rest = &self.letters[self.at..];
        let Some(end) = rest.iter().position(|letter| *letter == '}') else { return false };
        let inner: String = rest[..end].iter().collect();
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match inner.split_once(',') {
            Some((low, high)) => digits(low) && digits(high),
            None => !inner.is_empty() && digits(&inner),
        }
    }
}

/// Whether flags at the beginning, `(?im)`, have an `m`.
fn has_multiline_flag(pattern: &str) -> bool {
    pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')')).is_some_and(|(flags, _)| {
        flags.bytes().all(|b| b.is_ascii_lowercase()) && flags.contains('m')
    })
}

#[cfg(test)]
mod tests {
    use super::{check, search};

    #[test]
    fn patterns_mean_what_they_mean_in_python() {
        // Each was searched by Python 3.11.
        for (pattern, text, expected) in [
            ("^ok$", "ok\n", true),
            (r"^ok\Z", "ok\n", false),
            ("(?m)^b$", "a\nb\nc", true),
            ("^b$", "a\nb\nc", false),
            ("${name}", "x${name}", false),
            ("a{2}", "aa", true),
            ("a{,2}b", "aab", true),
            ("{a}", "{a}", true),
            ("a{x", "a{x", true),
            ("[[]", "[", true),
            ("[]]", "]", true),
            ("[a&&b]", "&", true),
            (r"[\b]", "\u{8}", true),
            (r"(?<=v)\d+", "v12", true),
            (r"^(?!5)\d+$", "503", false),
            (r"(?P<q>['x]).*(?P=q)", "'a'", true),
            (r"(a)\1", "aa", true),
            (r"\d+\.\d+", "1.5", true),
            (r"\<b\>", "<b>", true),
            (r"\w", "é", true),
            ("(?i)OK", "it is ok", true),
        ] {
            assert_eq!(search(pattern, text), Ok(expected), "{pattern} {text:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for pattern in ["(", "[a", "a\\", "*", r"\h", "(?P<a", "a**"] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_search_ends_even_if_the_pattern_is_hostile() {
        let text = "a".repeat(64);
        assert!(search(r"^(?:(a+)\1?)+b$", &text).is_err());
    }
}
