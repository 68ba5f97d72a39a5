//! One spelling for each path (RFC 3986 §6.2.2), so that what a route matches is what the upstream
//! sees.
//!
//! Percent-encoded unreserved characters are decoded, other encodings get upper-case digits, dot
//! segments (`.`, `..`, `%2e`) are resolved. What two servers could read differently is refused:
//! a path that leaves the root, an encoded control character, `%` without two digits, a backslash,
//! and a dot segment that an encoded slash hides. Parameters behind `;` and the query are left.

/// What is done to the path of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathRules {
    /// Several slashes in a row become one. Default: no.
    pub merge_slashes: bool,
    /// What becomes of `%2F` and `%5C`. Default: they are kept.
    pub escaped_slashes: EscapedSlashes,
}

/// What becomes of slashes (`%2F`) and backslashes (`%5C`) that are percent-encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapedSlashes {
    /// They stay encoded, and are part of their segment.
    #[default]
    Keep,
    /// The request is refused.
    Reject,
    /// They become slashes, and the path is matched and sent so.
    Decode,
    /// As with `Decode`, but the client is redirected to that path.
    Redirect,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// `..` goes above the root.
    LeavesRoot,
    /// `%` without two hexadecimal digits.
    Encoding,
    /// `%00` to `%1F`, `%7F`.
    Control,
    /// A backslash, which is no character of a URI and a slash to some servers.
    Backslash,
    /// An encoded slash where they are refused.
    EscapedSlash,
    /// A dot segment beside an encoded slash, which a server that decodes it would follow.
    HiddenDots,
}

impl PathError {
    /// The reason as fixed text.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::LeavesRoot => "the path leaves the root",
            Self::Encoding => "the path has an invalid percent-encoding",
            Self::Control => "the path has an encoded control character",
            Self::Backslash => "the path has a backslash",
            Self::EscapedSlash => "the path has an encoded slash",
            Self::HiddenDots => "the path hides a dot segment behind an encoded slash",
        }
    }
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for PathError {}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalized {
    /// It is in its one spelling already; nothing was written.
    Unchanged,
    /// The new target was written.
    Changed,
    /// The new target was written, and the client is to be told to ask for it.
    Redirect,
}

impl PathRules {
    /// Writes the one spelling of `target` (path and query) to `out` if it differs. A target that
    /// does not begin with `/` (`*`, none) is left.
    ///
    /// # Errors
    /// [`PathError`]: two servers could disagree on what it names.
    pub fn normalize(self, target: &[u8], out: &mut Vec<u8>) -> Result<Normalized, PathError> {
        let plain = |byte| (byte != b'%') & (byte != b'.') & (byte != b'\\');
        if !self.merge_slashes && crate::all_bytes(target, plain) {
            return Ok(Normalized::Unchanged);
        }
        let found = memchr::memchr3(b'?', b'%', b'\\', target);
        let is_query = found.is_none_or(|at| target.get(at) == Some(&b'?'));
        let query_at = if is_query { found } else { memchr::memchr(b'?', target) };
        let end = query_at.unwrap_or(target.len());
        let (path, query) = target.split_at_checked(end).unwrap_or((target, &[]));
        let is_suspect = query_at != found || self.has_odd_segment(path);
        if path.first() != Some(&b'/') || !is_suspect {
            return Ok(Normalized::Unchanged);
        }
        out.clear();
        let unescaped = self.write_path(path, out)?;
        if out.as_slice() == path {
            return Ok(Normalized::Unchanged);
        }
        out.extend_from_slice(query);
        let redirect = unescaped && self.escaped_slashes == EscapedSlashes::Redirect;
        Ok(if redirect { Normalized::Redirect } else { Normalized::Changed })
    }

    /// Whether a segment is empty where that matters, or begins with a dot. Looks at all of it
    /// without a branch: paths are short.
    fn has_odd_segment(self, path: &[u8]) -> bool {
        let next = path.get(1..).unwrap_or(&[]);
        path.iter().zip(next).fold(false, |found, (&byte, &next)| {
            found | ((byte == b'/') & ((next == b'.') | ((next == b'/') & self.merge_slashes)))
        })
    }

    /// True: an encoded slash was decoded.
    fn write_path(self, path: &[u8], out: &mut Vec<u8>) -> Result<bool, PathError> {
        let decodes =
            matches!(self.escaped_slashes, EscapedSlashes::Decode | EscapedSlashes::Redirect);
        let mut unescaped = false;
        out.push(b'/');
        let mut segment = out.len();
        let mut rest = path.get(1..).unwrap_or(&[]);
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'/' => segment = self.end_segment(out, segment, true)?,
                b'\\' => return Err(PathError::Backslash),
                b'%' => {
                    let octet = octet(rest).ok_or(PathError::Encoding)?;
                    rest = rest.get(2..).unwrap_or(&[]);
                    match octet {
                        0..=0x1f | 0x7f => return Err(PathError::Control),
                        b'/' | b'\\' if self.escaped_slashes == EscapedSlashes::Reject => {
                            return Err(PathError::EscapedSlash);
                        }
                        b'/' | b'\\' if decodes => {
                            unescaped = true;
                            segment = self.end_segment(out, segment, true)?;
                        }
                        _ if is_unreserved(octet) => out.push(octet),
                        _ => push_encoded(octet, out),
                    }
                }
                _ => out.push(byte),
            }
        }
        self.end_segment(out, segment, false)?;
        Ok(unescaped)
    }

    /// Ends the segment that begins at `start` of `out`, with a slash or the path; gives where the
    /// next one begins.
    fn end_segment(self, out: &mut Vec<u8>, start: usize, slash: bool) -> Result<usize, PathError> {
        match out.get(start..).unwrap_or(&[]) {
            b"." => out.truncate(start),
            b".." => {
                let parent = start.checked_sub(1).and_then(|end| out.get(..end)).unwrap_or(&[]);
                let slash = memchr::memrchr(b'/', parent).ok_or(PathError::LeavesRoot)?;
                out.truncate(slash + 1);
            }
            [] if slash && self.merge_slashes => {}
            segment if hides_dots(segment) => return Err(PathError::HiddenDots),
            _ if slash => out.push(b'/'),
            _ => {}
        }
        Ok(out.len())
    }
}

/// Whether a segment, cut at its encoded slashes, has a dot segment.
fn hides_dots(segment: &[u8]) -> bool {
    let is_dots = |part: &[u8]| matches!(part, b"." | b"..");
    let mut part = segment;
    let mut hides = false;
    while let Some(at) = memchr::memmem::find(part, b"%2F")
        .into_iter()
        .chain(memchr::memmem::find(part, b"%5C"))
        .min()
    {
        hides |= is_dots(part.get(..at).unwrap_or(&[]));
        part = part.get(at + 3..).unwrap_or(&[]);
        if is_dots(part) {
            return true;
        }
    }
    hides
}

/// The octet of two hexadecimal digits.
fn octet(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn push_encoded(octet: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[
        b'%',
        DIGITS[usize::from(octet >> 4)],
        DIGITS[usize::from(octet & 15)],
    ]);
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests;
