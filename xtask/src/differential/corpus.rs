//! The corpus: cases as text, made into the bytes that go over the wire.

use anyhow::{Context as _, Result, bail};

use super::http2;

/// Cases that begin as HTTP/1.1.
pub(super) const HTTP1: &str = include_str!("../../corpus/http1.txt");
/// Cases that begin as HTTP/2.
pub(super) const HTTP2: &str = include_str!("../../corpus/http2.txt");

/// One payload.
#[derive(Debug)]
pub(super) struct Case {
    /// The class it belongs to, such as `CL.TE`.
    pub(super) class: String,
    /// What is odd about it.
    pub(super) title: String,
    /// Its number, with three digits: part of its paths.
    pub(super) number: String,
    /// It is HTTP/2: the sentinel does not wait for it.
    pub(super) multiplexed: bool,
    /// What is sent, the sentinel request behind it included.
    pub(super) bytes: Vec<u8>,
}

/// Reads the cases of `http1.txt`, numbered from `first`.
pub(super) fn http1(text: &str, first: usize) -> Result<Vec<Case>> {
    cases(text, first, false, |number, body| {
        let mut bytes = Vec::new();
        for line in body {
            let (line, joined) = match line.strip_suffix('\\') {
                Some(start) => (start, true),
                None => (*line, false),
            };
            bytes.extend(unescape(&line.replace('@', number))?);
            if !joined {
                bytes.extend(b"\r\n");
            }
        }
        bytes.extend(format!("GET /sentinel{number} HTTP/1.1\r\nHost: a.test\r\n\r\n").bytes());
        Ok(bytes)
    })
}

/// Reads the cases of `http2.txt`, numbered from `first`.
pub(super) fn http2(text: &str, first: usize) -> Result<Vec<Case>> {
    cases(text, first, true, |number, body| {
        let (mut fields, mut data, mut trailers) = (Vec::new(), Vec::new(), Vec::new());
        for line in body {
            let line = line.replace('@', number);
            if let Some(bytes) = line.strip_prefix("> ") {
                data.push(unescape(bytes)?);
            } else if let Some(field) = line.strip_prefix("% ") {
                trailers.push(field_of(field)?);
            } else {
                fields.push(field_of(&line)?);
            }
        }
        let mut bytes = http2::preface();
        http2::request(&mut bytes, 1, &fields, &data, &trailers);
        let sentinel = [
            (":method", "GET".to_owned()),
            (":scheme", "http".to_owned()),
            (":path", format!("/sentinel{number}")),
            (":authority", "a.test".to_owned()),
        ];
        let sentinel = sentinel.map(|(name, value)| (name.into(), value.into_bytes()));
        http2::request(&mut bytes, 3, &sentinel, &[], &[]);
        Ok(bytes)
    })
}

fn cases(
    text: &str,
    first: usize,
    multiplexed: bool,
    mut encode: impl FnMut(&str, &[&str]) -> Result<Vec<u8>>,
) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let text = format!("\n{}", text.strip_suffix('\n').unwrap_or(text));
    for part in text.split("\n### ").skip(1) {
        let (head, body) = part.split_once('\n').context("a case has a body")?;
        let (class, title) =
            head.split_once(": ").with_context(|| format!("`{head}` is not `CLASS: TITLE`"))?;
        let mut lines: Vec<&str> = body.split('\n').collect();
        if lines.pop() != Some("") {
            bail!("case `{head}` does not end with an empty line");
        }
        let number = format!("{:03}", first + cases.len());
        let bytes = encode(&number, &lines).with_context(|| format!("case `{head}`"))?;
        let (class, title) = (class.to_owned(), title.to_owned());
        cases.push(Case { class, title, number, multiplexed, bytes });
    }
    Ok(cases)
}

fn field_of(line: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let (name, value) =
        line.split_once(" = ").with_context(|| format!("`{line}` is not `NAME = VALUE`"))?;
    Ok((unescape(name)?, unescape(value)?))
}

/// Makes bytes of text with `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`.
fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).with_context(|| format!("`\\x{digits}`"))?
            }
            other => bail!("unknown escape `\\{}`", other.map_or(' ', char::from)),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
