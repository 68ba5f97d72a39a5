//! Field sections (RFC 9112 §5): of a head, and of trailers.

use bulkhead_message::{Fields, Known, all_bytes, trim_ows};
use memchr::memchr;

use super::reject::Reject;

/// Lower case of each token byte, 0 for every other byte.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is an error")]
const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if bulkhead_message::is_token_byte(byte) {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// The lower case of a token byte; 0 if `byte` may not stand in a token.
#[inline]
pub(super) fn lower(byte: u8) -> u8 {
    LOWER.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether no byte of `value` is forbidden in a field value: a control character other than tab.
#[inline]
pub(super) fn is_clean(value: &[u8]) -> bool {
    all_bytes(value, |byte| ((byte >= 0x20) | (byte == b'\t')) & (byte != 0x7f))
}

/// Names up to this length are lower-cased on the stack.
const SHORT_NAME_BYTES: usize = 64;

/// One line of a section.
pub(super) enum Line<'a> {
    /// The line is not whole yet.
    Incomplete,
    /// The empty line that ends the section.
    End,
    /// A field line.
    Field(&'a [u8]),
}

/// Cuts a section into lines and counts them and their bytes.
pub(super) struct Lines<'a> {
    input: &'a [u8],
    at: usize,
    bytes_max: usize,
    fields_left: usize,
}

impl<'a> Lines<'a> {
    /// Lines of `input` from `at` on. A section that ends beyond `bytes_max` is refused.
    pub(super) const fn new(
        input: &'a [u8],
        at: usize,
        bytes_max: usize,
        fields_max: usize,
    ) -> Self {
        Self { input, at, bytes_max, fields_left: fields_max }
    }

    /// Bytes up to the end of the last line.
    pub(super) const fn consumed(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<Line<'a>, Reject> {
        const TOO_LARGE: Reject = Reject::new(431, "head too large");
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        let Some(len) = memchr(b'\n', rest) else {
            // Whatever comes, the line will end beyond the limit.
            return if self.input.len() >= self.bytes_max {
                Err(TOO_LARGE)
            } else {
                Ok(Line::Incomplete)
            };
        };
        self.at += len + 1;
        if self.at > self.bytes_max {
            return Err(TOO_LARGE);
        }
        match rest.get(..len) {
            Some([b'\r']) => Ok(Line::End),
            Some([line @ .., b'\r']) => {
                if self.fields_left == 0 {
                    return Err(Reject::new(431, "too many fields"));
                }
                self.fields_left -= 1;
                Ok(Line::Field(line))
            }
            _ => Err(Reject::bad("bare LF")),
        }
    }
}

/// Splits a field line, checks both halves, and hands `visit` the known name, or else the lower-case
/// one, and the trimmed value.
#[inline]
pub(super) fn field<'a>(
    line: &'a [u8],
    visit: impl FnOnce(Known, &[u8], &'a [u8]) -> Result<(), Reject>,
) -> Result<(), Reject> {
    let Some((name, value)) = memchr(b':', line).and_then(|at| line.split_at_checked(at)) else {
        return Err(bad_line(line));
    };
    let value = trim_ows(value.get(1..).unwrap_or(&[]));
    if !is_clean(value) {
        return Err(Reject::bad("control character in field value"));
    }
    let known = Known::of_any_case(name);
    if known != Known::Other {
        return visit(known, &[], value);
    }
    let mut short = [0; SHORT_NAME_BYTES];
    let mut long = Vec::new();
    let lowered = match short.get_mut(..name.len()) {
        Some(short) => short,
        None => {
            long.resize(name.len(), 0);
            long.as_mut_slice()
        }
    };
    let mut valid = !name.is_empty();
    for (to, &from) in lowered.iter_mut().zip(name) {
        *to = lower(from);
        valid &= *to != 0;
    }
    if !valid {
        return Err(bad_line(line));
    }
    visit(Known::Other, lowered, value)
}

/// Why a line is no field, most telling reason first.
#[cold]
fn bad_line(line: &[u8]) -> Reject {
    let name = memchr(b':', line).and_then(|at| line.get(..at));
    Reject::bad(match (line, name) {
        ([b' ' | b'\t', ..], _) => "folded line or white space before the first field",
        (_, None) => "field line without colon",
        (_, Some([])) => "empty field name",
        (_, Some([.., b' ' | b'\t'])) => "white space before colon",
        _ => "invalid field name",
    })
}

/// What may not stand among trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrailerRule {
    /// It may.
    Keep,
    /// Has no meaning after the body and no business there: left out (RFC 9110 §6.5.1).
    Drop,
    /// Framing or routing: only sent to confuse somebody behind us.
    Refuse,
}

/// The rule for a name. Applied to trailers received and to trailers sent.
pub(super) const fn trailer_rule(known: Known) -> TrailerRule {
    match known {
        Known::ContentLength | Known::TransferEncoding | Known::Host => TrailerRule::Refuse,
        Known::Authorization
        | Known::CacheControl
        | Known::Connection
        | Known::ContentEncoding
        | Known::ContentRange
        | Known::ContentType
        | Known::Cookie
        | Known::Expect
        | Known::Http2Settings
        | Known::IfMatch
        | Known::IfModifiedSince
        | Known::IfNoneMatch
        | Known::IfRange
        | Known::IfUnmodifiedSince
        | Known::KeepAlive
        | Known::MaxForwards
        | Known::ProxyAuthenticate
        | Known::ProxyAuthorization
        | Known::ProxyConnection
        | Known::Range
        | Known::SetCookie
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::WwwAuthenticate => TrailerRule::Drop,
        _ => TrailerRule::Keep,
    }
}

/// Decodes a trailer section with its final empty line. `None` if it is not whole yet, else the
/// number of bytes it took.
pub(super) fn trailers(
    input: &[u8],
    bytes_max: usize,
    fields_max: usize,
    trailers: &mut Fields,
) -> Result<Option<usize>, Reject> {
    trailers.clear();
    let mut lines = Lines::new(input, 0, bytes_max, fields_max);
    loop {
        match lines.next()? {
            Line::Incomplete => return Ok(None),
            Line::End => return Ok(Some(lines.consumed())),
            Line::Field(line) => field(line, |known, name, value| {
                match trailer_rule(known) {
                    TrailerRule::Keep => trailers.push_classified(known, name, value, false),
                    TrailerRule::Drop => {}
                    TrailerRule::Refuse => return Err(Reject::bad("forbidden trailer field")),
                }
                Ok(())
            })?,
        }
    }
}

/// What the fields of a head say about framing and connection, collected line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    content_length: Option<u64>,
    chunked_last: bool,
    chunked_count: u8,
    other_coding: bool,
    transfer_encoding: bool,
    /// `connection: close`
    pub(super) close: bool,
    /// `connection: keep-alive`
    pub(super) keep_alive: bool,
    /// `connection: upgrade`
    upgrade_named: bool,
    /// There is an `upgrade`.
    upgrade: bool,
    /// `te: trailers`
    pub(super) te_trailers: bool,
    /// `expect: 100-continue`
    pub(super) expect_continue: bool,
}

/// How a body is delimited, where the fields say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimited {
    /// No framing field.
    Unsaid,
    /// By `content-length`.
    Length(u64),
    /// By chunks.
    Chunked,
}

impl Framing {
    /// Takes note of one field.
    #[inline]
    pub(super) fn note(&mut self, known: Known, value: &[u8]) -> Result<(), Reject> {
        match known {
            Known::ContentLength => {
                let length = decimal(value).ok_or(Reject::bad("invalid content-length"))?;
                if self.content_length.replace(length).is_some() {
                    return Err(Reject::bad("more than one content-length"));
                }
            }
            Known::TransferEncoding => self.note_codings(value)?,
            Known::Connection => {
                for option in list(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrade_named |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            Known::Upgrade => self.upgrade = true,
            Known::Te => {
                self.te_trailers |= list(value).any(|item| item.eq_ignore_ascii_case(b"trailers"));
            }
            Known::Expect => self.expect_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
        Ok(())
    }

    /// Whether it asks for another protocol (RFC 9110 §7.8).
    pub(super) const fn asks_upgrade(&self) -> bool {
        self.upgrade && self.upgrade_named
    }

    fn note_codings(&mut self, value: &[u8]) -> Result<(), Reject> {
        self.transfer_encoding = true;
        for coding in list(value) {
            if !bulkhead_message::is_token(coding) {
                return Err(Reject::bad("invalid transfer-encoding"));
            }
            self.chunked_last = coding.eq_ignore_ascii_case(b"chunked");
            self.chunked_count = self.chunked_count.saturating_add(u8::from(self.chunked_last));
            self.other_coding |= !self.chunked_last;
        }
        Ok(())
    }

    /// The verdict, when the whole head was read (RFC 9112 §6.1 and §6.3). `http10`: the message is
    /// HTTP/1.0, where a transfer coding is a sign of a forged or mangled head.
    pub(super) const fn delimited(&self, http10: bool) -> Result<Delimited, Reject> {
        if !self.transfer_encoding {
            return Ok(match self.content_length {
                Some(length) => Delimited::Length(length),
                None => Delimited::Unsaid,
            });
        }
        if self.content_length.is_some() {
            return Err(Reject::bad("both content-length and transfer-encoding"));
        }
        if http10 {
            return Err(Reject::bad("transfer-encoding in HTTP/1.0"));
        }
        match (self.chunked_count, self.chunked_last, self.other_coding) {
            (1, true, false) => Ok(Delimited::Chunked),
            (1, true, true) | (0, _, true) => Err(Reject::new(501, "unknown transfer coding")),
            _ => Err(Reject::bad("chunked is not the one final transfer coding")),
        }
    }
}

/// Items of a comma-separated list (RFC 9110 §5.6.1) without white space around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_ows)
}

/// A number of digits only; `None` if it is anything else or does not fit.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
