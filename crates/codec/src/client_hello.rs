//! The name that a TLS client asks for, read from its `ClientHello` (RFC 8446 §4.1.2, RFC 5246
//! §7.4.1.2) without taking part in the handshake.
//!
//! Only the outer hello is read: with Encrypted Client Hello that is the public name.

/// Longest `ClientHello` that is taken, in bytes, with the headers of its records.
pub const HELLO_BYTES_MAX: usize = 16 * 1024;

/// Longest record (RFC 8446 §5.1).
const RECORD_BYTES_MAX: usize = 1 << 14;
/// Longest name (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;

const RECORD_HANDSHAKE: u8 = 22;
const HANDSHAKE_CLIENT_HELLO: u8 = 1;
/// Kind and length.
const HANDSHAKE_HEADER_BYTES: usize = 4;
const EXTENSION_SERVER_NAME: u16 = 0;
const NAME_HOST: u8 = 0;

/// What is read of a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The name that is asked for (RFC 6066 §3), in lower case.
    pub server_name: Option<String>,
}

/// Why the bytes are not taken for a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// They do not begin with a handshake of TLS.
    NotTls,
    /// It is longer than [`HELLO_BYTES_MAX`].
    TooLong,
    /// It is a hello with a mistake in it.
    Malformed,
}

impl HelloError {
    /// Fixed text in `snake_case`, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotTls => "client_hello_not_tls",
            Self::TooLong => "client_hello_too_long",
            Self::Malformed => "client_hello_malformed",
        }
    }
}

/// Reads the hello at the beginning of `input`, in one record or several; `None`: more bytes are
/// needed.
///
/// # Errors
/// It is none that this gateway takes.
pub fn parse(input: &[u8]) -> Result<Option<ClientHello>, HelloError> {
    let window = input.get(..HELLO_BYTES_MAX).unwrap_or(input);
    let Some(message) = gather(window)? else {
        let over = input.len() >= HELLO_BYTES_MAX;
        return if over { Err(HelloError::TooLong) } else { Ok(None) };
    };
    let body = message.get(HANDSHAKE_HEADER_BYTES..).unwrap_or_default();
    hello(body).map(Some).ok_or(HelloError::Malformed)
}

/// The message, with its header, out of its records; `None`: there is not all of it.
fn gather(input: &[u8]) -> Result<Option<Vec<u8>>, HelloError> {
    let mut records = Reader(input);
    let mut message = Vec::new();
    loop {
        let Some(kind) = records.u8() else { return Ok(None) };
        if kind != RECORD_HANDSHAKE {
            // A hello that is cut up by something else is no hello either.
            return Err(HelloError::NotTls);
        }
        let Some(major) = records.u8() else { return Ok(None) };
        if major != 3 {
            return Err(HelloError::NotTls);
        }
        let Some(length) = records.u8().and_then(|_minor| records.u16()) else { return Ok(None) };
        if length == 0 || usize::from(length) > RECORD_BYTES_MAX {
            return Err(HelloError::Malformed);
        }
        let fragment = records.up_to(length.into());
        message.extend_from_slice(fragment);
        if let Some((&[kind, a, b, c], body)) = message.split_first_chunk() {
            if kind != HANDSHAKE_CLIENT_HELLO {
                return Err(HelloError::NotTls);
            }
            let wanted = u32::from_be_bytes([0, a, b, c]) as usize;
            if wanted > HELLO_BYTES_MAX {
                return Err(HelloError::TooLong);
            }
            if body.len() > wanted {
                // Nothing may follow it before an answer.
                return Err(HelloError::Malformed);
            }
            if body.len() == wanted {
                return Ok(Some(message));
            }
        }
        if fragment.len() < usize::from(length) {
            return Ok(None);
        }
    }
}

fn hello(message: &[u8]) -> Option<ClientHello> {
    let mut rest = Reader(message);
    let _version = rest.u16()?;
    let _random = rest.take(32)?;
    let session_id = rest.vector8()?;
    let suites = rest.vector16()?;
    let compressions = rest.vector8()?;
    let lengths_fit = session_id.len() <= 32
        && !suites.is_empty()
        && suites.len().is_multiple_of(2)
        && !compressions.is_empty();
    if !lengths_fit {
        return None;
    }
    if rest.0.is_empty() {
        return Some(ClientHello { server_name: None });
    }
    let mut extensions = Reader(rest.vector16()?);
    if !rest.0.is_empty() {
        return None;
    }
    let mut server_name = None;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.vector16()?;
        if kind == EXTENSION_SERVER_NAME {
            // A second one would be read differently by the endpoint.
            if server_name.is_some() {
                return None;
            }
            server_name = Some(host_name(content)?);
        }
    }
    Some(ClientHello { server_name })
}

/// The one host name in a list of names.
fn host_name(content: &[u8]) -> Option<String> {
    let mut content = Reader(content);
    let mut names = Reader(content.vector16()?);
    let kind = names.u8()?;
    let name = names.vector16()?;
    let whole = content.0.is_empty() && names.0.is_empty() && kind == NAME_HOST;
    (whole && is_host_name(name)).then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// Letters, digits, `-` and `_` in labels; no dot at the end (RFC 6066 §3).
fn is_host_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= NAME_BYTES_MAX
        && name
            .split(|&byte| byte == b'.')
            .all(|label| (1..=63).contains(&label.len()) && label.iter().all(plain))
}

/// Bytes that are taken from the front.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many as there are, at most `count`.
    fn up_to(&mut self, count: usize) -> &'a [u8] {
        self.take(count.min(self.0.len())).unwrap_or_default()
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    /// A vector whose length stands in one byte.
    fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// A vector whose length stands in two bytes.
    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests;
