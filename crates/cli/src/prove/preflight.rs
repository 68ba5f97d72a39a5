//! Before the storm: the gateway says no where it has to. A gate that lets everything pass would pass
//! every other check here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::ground::Party;
use super::stage::Stage;
use super::tokens::TokenPool;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Statuses that single requests over HTTP/1.1 got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Preflight {
    /// With a valid token (or without any, if none is asked for).
    pub(crate) valid: u16,
    /// Without a token.
    pub(crate) without_token: Option<u16>,
    /// With a token whose signature was changed in one letter.
    pub(crate) tampered_token: Option<u16>,
}

impl Preflight {
    /// Whether the gateway let in what it must and nothing else.
    pub(crate) fn is_right(&self) -> bool {
        let refused = |status: Option<u16>| status.is_none_or(|status| status == 401);
        self.valid == 200 && refused(self.without_token) && refused(self.tampered_token)
    }
}

/// Asks for a feed with a good token, without one, and with a bad one.
pub(crate) fn run(stage: &Stage, tokens: &TokenPool, jwt: bool) -> anyhow::Result<Preflight> {
    let address = stage.address();
    stage.ground.enter(Party::Clients, || ask(address, tokens, jwt))?
}

fn ask(address: SocketAddr, tokens: &TokenPool, jwt: bool) -> anyhow::Result<Preflight> {
    if !jwt {
        let valid = status(address, None)?;
        return Ok(Preflight { valid, without_token: None, tampered_token: None });
    }
    let token = tokens.authorization(0);
    Ok(Preflight {
        valid: status(address, Some(token))?,
        without_token: Some(status(address, None)?),
        tampered_token: Some(status(address, Some(&tampered(token)))?),
    })
}

/// The same token with one letter in the middle of its signature changed.
fn tampered(token: &[u8]) -> Vec<u8> {
    let mut token = token.to_vec();
    let dot = token.iter().rposition(|&byte| byte == b'.').unwrap_or(0);
    let middle = dot + (token.len() - dot) / 2;
    if let Some(letter) = token.get_mut(middle) {
        *letter = if *letter == b'A' { b'B' } else { b'A' };
    }
    token
}

fn status(address: SocketAddr, authorization: Option<&[u8]>) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("connect to the gateway on {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT)).context("set a time-out")?;
    let mut request =
        b"GET /api/v1/7/feed HTTP/1.1\r\nhost: feed.example\r\nconnection: close\r\n".to_vec();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"authorization: ");
        request.extend_from_slice(authorization);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).context("ask the gateway")?;
    let mut answer = Vec::new();
    while answer.len() < 12 {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).context("wait for the gateway's answer")? {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let status = answer
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
    let Some(status) = status else {
        bail!("the gateway's answer is not HTTP/1.1: {:?}", String::from_utf8_lossy(&answer))
    };
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::{Preflight, tampered};

    #[test]
    fn one_letter_of_the_signature_is_changed() {
        let token = b"Bearer aaa.bbb.ccccccc";
        let other = tampered(token);
        assert_eq!(token.iter().zip(&other).filter(|(a, b)| a != b).count(), 1);
        assert_eq!(other[..15], token[..15]);
    }

    #[test]
    fn only_the_good_token_may_pass() {
        let right = Preflight { valid: 200, without_token: Some(401), tampered_token: Some(401) };
        assert!(right.is_right());
        assert!(Preflight { without_token: None, tampered_token: None, ..right }.is_right());
        assert!(!Preflight { valid: 503, ..right }.is_right());
        assert!(!Preflight { without_token: Some(200), ..right }.is_right());
        assert!(!Preflight { tampered_token: Some(200), ..right }.is_right());
    }
}
