//! The opening handshake (RFC 6455 §4): an HTTP/1.1 request, and whether the answer agrees to it.
//!
//! Follows no redirect and answers no challenge: a status other than 101 is a refusal.

use std::fmt::Write;

use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::HeaderMap;

/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// What messages are sent as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageKind {
    /// Any bytes.
    #[default]
    Binary,
    /// Text; the workload must write UTF-8.
    Text,
}

/// What a WebSocket is asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Path and query.
    pub path: String,
    /// Host, and port if it is not the usual one.
    pub authority: String,
    /// More fields, such as `origin` or `sec-websocket-protocol`. What the handshake sets itself is
    /// left out, and so is what would not be a field (control characters).
    pub headers: Vec<(String, String)>,
    /// What messages are sent as.
    pub kind: MessageKind,
}

impl Upgrade {
    /// Binary messages, and no more fields than there must be.
    pub fn new(path: &str, authority: &str) -> Self {
        Self {
            path: path.to_owned(),
            authority: authority.to_owned(),
            headers: Vec::new(),
            kind: MessageKind::Binary,
        }
    }
}

/// Fields that the handshake sets.
const OWN_FIELDS: [&str; 8] = [
    "host",
    "connection",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
];

/// A handshake going on.
#[derive(Debug)]
pub(super) struct Handshake {
    upgrade: Upgrade,
    key: String,
}

impl Handshake {
    /// With a random key, and a seed for the masks. A mask protects proxies from messages that look
    /// like HTTP and come from a page that the user does not trust (§10.3); here the user writes the
    /// messages, so a fast generator will do.
    pub(super) fn new(upgrade: Upgrade) -> (Self, u64) {
        let (key, seed) = (generate_key(), generate_key());
        let seed = seed.bytes().fold(0, |seed: u64, byte| {
            seed.rotate_left(7) ^ u64::from(byte).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        (Self { upgrade, key }, seed)
    }

    pub(super) fn push_request(&self, out: &mut Vec<u8>) {
        let Upgrade { path, authority, headers, .. } = &self.upgrade;
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {}\r\n",
            self.key
        );
        let is_bad = |text: &str| text.bytes().any(|byte| byte < 0x20 && byte != b'\t');
        for (name, value) in headers {
            let own = OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own));
            if !own && !name.is_empty() && !is_bad(name) && !is_bad(value) {
                // A string takes all that is written to it.
                let _written = write!(text, "{name}: {value}\r\n");
            }
        }
        text.push_str("\r\n");
        out.extend_from_slice(text.as_bytes());
    }

    /// Takes the answer if it is all there; whether it was.
    ///
    /// # Errors
    /// If it does not agree; the text says in what.
    pub(super) fn take_response(&self, input: &mut &[u8]) -> Result<bool, String> {
        let refused = |why: &str| format!("the WebSocket upgrade of `{}` {why}", self.upgrade.path);
        let parsed = Response::try_parse(input).map_err(|error| {
            refused(&format!("was answered with what is not HTTP/1.1 ({error})"))
        })?;
        let Some((length, response)) = parsed else {
            return match input.len() {
                length if length > HEAD_BYTES_MAX => {
                    Err(refused("was answered at too much length"))
                }
                _ => Ok(false),
            };
        };
        let status = response.status().as_u16();
        if status != 101 {
            return Err(refused(&format!(
                "was refused with status {status}, not answered with 101"
            )));
        }
        self.check(response.headers()).map_err(|why| refused(&why))?;
        *input = input.get(length..).unwrap_or_default();
        Ok(true)
    }

    /// What §4.1 has a client look at.
    fn check(&self, fields: &HeaderMap) -> Result<(), String> {
        let value = |name: &str| fields.get(name).map_or(&b""[..], |value| value.as_bytes());
        if !has_token(value("upgrade"), b"websocket") {
            return Err("got a 101 to another protocol (`upgrade`)".to_owned());
        }
        if !has_token(value("connection"), b"upgrade") {
            return Err("got a 101 without `connection: upgrade`".to_owned());
        }
        if value("sec-websocket-accept") != derive_accept_key(self.key.as_bytes()).as_bytes() {
            return Err("got a 101 with a wrong `sec-websocket-accept`".to_owned());
        }
        if fields.contains_key("sec-websocket-extensions") {
            return Err("got a 101 with extensions that were not asked for".to_owned());
        }
        Ok(())
    }
}

/// Whether a list holds a word.
fn has_token(list: &[u8], word: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(word))
}
