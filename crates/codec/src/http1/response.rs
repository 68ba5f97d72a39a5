//! Response heads (RFC 9112 §4 and §6.3).

use bulkhead_message::{BodyLength, Known, Method, ResponseHead, Version};
use memchr::memchr;

use super::connection::Settings;
use super::fields::{Delimited, Framing, Line, Lines, field, is_clean};
use super::reject::Reject;

/// What the state machine has to know of a decoded response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Bytes of the head, with its final empty line.
    pub(super) bytes: usize,
    /// How its body is delimited.
    pub(super) body: Body,
    /// Connection options.
    pub(super) framing: Framing,
}

/// The body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// None, whatever the fields say.
    None,
    /// By length.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What the response answers, as far as its framing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// `HEAD`: never a body.
    Head,
    /// `CONNECT`: no body with a 2xx.
    Connect,
    /// Anything else.
    #[default]
    Other,
}

impl Asked {
    /// By the request's method.
    pub(super) const fn by(method: Method) -> Self {
        match method {
            Method::Head => Self::Head,
            Method::Connect => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Whether a final or interim response with `status` has no body by definition.
    pub(super) const fn forbids_body(self, status: u16) -> bool {
        matches!(status, 100..=199 | 204 | 304)
            || matches!(self, Self::Head)
            || (matches!(self, Self::Connect) && status >= 200 && status < 300)
    }
}

/// Decodes the head at the front of `input` into `head`; `None` if it is not whole yet.
pub(super) fn decode(
    input: &[u8],
    asked: Asked,
    settings: &Settings,
    head: &mut ResponseHead,
) -> Result<Option<Decoded>, Reject> {
    let Some(line_bytes) = status_line(input, settings, head)? else { return Ok(None) };
    let mut lines = Lines::new(input, line_bytes, settings.head_bytes_max, settings.fields_max);
    let mut framing = Framing::default();
    loop {
        match lines.next()? {
            Line::Incomplete => return Ok(None),
            Line::End => break,
            Line::Field(line) => field(line, |known, name, value| {
                framing.note(known, value)?;
                // A host says nothing in a response, and a head never carries one.
                if known != Known::Host {
                    head.fields.push_classified(known, name, value, false);
                }
                Ok(())
            })?,
        }
    }
    // Ambiguous framing is refused even where no body can follow: it shows a peer not to be trusted
    // with the next response.
    let delimited = framing.delimited(head.version == Version::Http10)?;
    let body = if asked.forbids_body(head.status) {
        Body::None
    } else {
        match delimited {
            Delimited::Length(length) => Body::Length(length),
            Delimited::Chunked => Body::Chunked,
            Delimited::Unsaid => Body::UntilClose,
        }
    };
    head.body = match body {
        Body::None => BodyLength::None,
        Body::Length(length) => BodyLength::Known(length),
        Body::Chunked | Body::UntilClose => BodyLength::Unknown,
    };
    Ok(Some(Decoded { bytes: lines.consumed(), body, framing }))
}

/// `HTTP/1.x SP 3DIGIT [ SP reason ]`. The last space may be missing: many servers without reason
/// phrase leave it out, and nothing can be read two ways.
fn status_line(
    input: &[u8],
    settings: &Settings,
    head: &mut ResponseHead,
) -> Result<Option<usize>, Reject> {
    let Some(at) = memchr(b'\n', input) else {
        return if input.len() >= settings.head_bytes_max {
            Err(Reject::new(431, "head too large"))
        } else {
            Ok(None)
        };
    };
    let line = match input.get(..at) {
        _ if at >= settings.head_bytes_max => return Err(Reject::new(431, "head too large")),
        Some([line @ .., b'\r']) => line,
        _ => return Err(Reject::bad("bare LF")),
    };
    head.clear();
    let (version, rest) = match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', rest @ ..] => {
            (Version::Http11, rest)
        }
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', b' ', rest @ ..] => {
            (Version::Http10, rest)
        }
        _ => return Err(Reject::bad("invalid status line")),
    };
    head.version = version;
    let (status, reason) = match rest {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] => {
            ([a, b, c].into_iter().fold(0, |n, &d| n * 10 + u16::from(d - b'0')), reason)
        }
        _ => return Err(Reject::bad("invalid status code")),
    };
    if !matches!(reason, [] | [b' ', ..]) || !is_clean(reason) {
        return Err(Reject::bad("invalid reason phrase"));
    }
    head.status = status;
    Ok(Some(at + 1))
}
