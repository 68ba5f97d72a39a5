//! Chunk-size lines (RFC 9112 §7.1).

use memchr::memchr;

use super::fields::lower;
use super::reject::Reject;

/// Longest chunk-size line, extensions and line end included, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 256;

/// Most bytes of extensions in all chunks of one message: extensions are read and thrown away, so
/// a peer that sends more of them than of data only burns our time.
pub(super) const EXTENSION_BYTES_MAX: u32 = 8_192;

/// Sixteen digits fill 64 bits.
const DIGITS_MAX: usize = 16;

/// A decoded chunk-size line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeLine {
    /// Bytes of data that follow; 0 for the last chunk.
    pub(super) size: u64,
    /// Bytes of the line with its end.
    pub(super) line_bytes: usize,
    /// Bytes of it that are extensions.
    pub(super) extension_bytes: u32,
}

/// Decodes the line at the front of `input`; `None` if it is not whole yet.
///
/// Extensions are checked against the grammar, since a lone CR or LF in them is where parsers
/// disagree about the end of the line; then they are dropped.
#[inline]
pub(super) fn size_line(input: &[u8]) -> Result<Option<SizeLine>, Reject> {
    let window = input.get(..LINE_BYTES_MAX).unwrap_or(input);
    let Some(at) = memchr(b'\n', window) else {
        return if input.len() >= LINE_BYTES_MAX {
            Err(Reject::bad("chunk line too long"))
        } else {
            Ok(None)
        };
    };
    let line = window.get(..at).unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").ok_or(Reject::bad("bare LF in chunk line"))?;

    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > DIGITS_MAX {
        return Err(Reject::bad("invalid chunk size"));
    }
    let (digits, extensions) = line.split_at_checked(digits).unwrap_or((line, &[]));
    let size = digits.iter().fold(0, |size: u64, &digit| size << 4 | u64::from(hex(digit)));
    if !extensions.is_empty() && !are_extensions(extensions) {
        return Err(Reject::bad("invalid chunk extension"));
    }
    Ok(Some(SizeLine { size, line_bytes: at + 1, extension_bytes: extensions.len() as u32 }))
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`
fn are_extensions(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = skip_space(text).strip_prefix(b";") else { return false };
        let Some(rest) = skip_token(skip_space(rest)) else { return false };
        text = rest;
        if let Some(value) = skip_space(rest).strip_prefix(b"=") {
            let value = skip_space(value);
            let rest = match value {
                [b'"', quoted @ ..] => skip_quoted(quoted),
                _ => skip_token(value),
            };
            let Some(rest) = rest else { return false };
            text = rest;
        }
    }
    true
}

fn skip_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|&&byte| lower(byte) != 0).count();
    if len == 0 { None } else { text.get(len..) }
}

/// What follows the closing quote.
fn skip_quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_text(*escaped) => rest,
            [b'\\', ..] | [] => return None,
            [byte, rest @ ..] if is_text(*byte) => rest,
            _ => return None,
        };
    }
}

const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

#[cfg(test)]
mod tests;
