//! Keys that session tickets are sealed with (RFC 5077 §4), which another process can be given: a
//! session begun at the process before an upgrade or a crash is resumed at the one after it.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;

use super::TlsError;

/// How long a key seals new tickets, in seconds. It opens them for as long again.
pub(super) const ROTATION_S: u64 = 6 * 3600;
/// Bytes that tell which key a ticket was sealed with.
const NAME_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// A key as it is handed over: name, secret, Unix second of its making.
const KEY_BYTES: usize = NAME_BYTES + SECRET_BYTES + 8;

/// One key. AES-256-GCM with random nonces: six hours are far too short for 2³² tickets.
#[derive(Clone)]
struct TicketKey {
    name: [u8; NAME_BYTES],
    secret: [u8; SECRET_BYTES],
    /// Unix time in seconds.
    since: u64,
    cipher: std::sync::Arc<LessSafeKey>,
}

impl TicketKey {
    fn new(
        name: [u8; NAME_BYTES],
        secret: [u8; SECRET_BYTES],
        since: u64,
    ) -> Result<Self, TlsError> {
        let key = UnboundKey::new(&AES_256_GCM, &secret).map_err(|_| no_random())?;
        let cipher = std::sync::Arc::new(LessSafeKey::new(key));
        Ok(Self { name, secret, since, cipher })
    }

    fn fresh(now: u64) -> Result<Self, TlsError> {
        let (mut name, mut secret) = ([0; NAME_BYTES], [0; SECRET_BYTES]);
        aws_lc_rs::rand::fill(&mut name).map_err(|_| no_random())?;
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| no_random())?;
        Self::new(name, secret, now)
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(&self.name);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .ok()?;
        Some([&self.name[..], &nonce, &sealed, tag.as_ref()].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let sealed = ticket.strip_prefix(&self.name)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length =
            self.cipher.open_in_place(nonce, Aad::from(&self.name), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }

    fn to_bytes(&self) -> Vec<u8> {
        [&self.name[..], &self.secret, &self.since.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        Self::new(*name, *secret, u64::from_be_bytes(rest.try_into().ok()?)).ok()
    }
}

fn no_random() -> TlsError {
    TlsError::Setup(rustls::Error::FailedToGetRandomBytes)
}

/// The key in use, and the one before it.
struct Ring {
    current: TicketKey,
    previous: Option<TicketKey>,
}

/// See the module.
pub(super) struct TicketKeys(RwLock<Ring>);

impl TicketKeys {
    pub(super) fn new(now: u64) -> Result<Self, TlsError> {
        let current = TicketKey::fresh(now)?;
        Ok(Self(RwLock::new(Ring { current, previous: None })))
    }

    /// The keys as bytes: secret.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = ring.current.to_bytes();
        bytes.extend(ring.previous.iter().flat_map(TicketKey::to_bytes));
        bytes
    }

    /// The keys of another process; `None`: these are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut keys = bytes.chunks(KEY_BYTES).map(TicketKey::from_bytes);
        let current = keys.next()??;
        let previous = keys.next().map_or(Some(None), |key| key.map(Some))?;
        keys.next().is_none().then_some(Self(RwLock::new(Ring { current, previous })))
    }

    /// Changes keys now. False: the system gives no random numbers.
    pub(super) fn renew(&self, now: u64) -> bool {
        let Ok(fresh) = TicketKey::fresh(now) else { return false };
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut ring.current, fresh);
        ring.previous = Some(old);
        true
    }

    /// Changes keys where it is time: most often a comparison under the lock of readers.
    fn rotate(&self, now: u64) {
        let due = |ring: &Ring| now.saturating_sub(ring.current.since) >= ROTATION_S;
        if !due(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        // Without random numbers the old key is used on: sessions are worth less than connections.
        let Ok(fresh) = TicketKey::fresh(now) else { return };
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !due(&ring) {
            return;
        }
        let old = std::mem::replace(&mut ring.current, fresh);
        // A key that nobody used for so long opens nothing any more.
        ring.previous = (now.saturating_sub(old.since) < 2 * ROTATION_S).then_some(old);
    }

    fn seal(&self, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        self.rotate(now);
        self.0.read().unwrap_or_else(PoisonError::into_inner).current.seal(plain)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        self.rotate(now);
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let opened = ring.current.open(ticket);
        opened.or_else(|| ring.previous.as_ref()?.open(ticket))
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(2 * ROTATION_S).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, UnixTime::now().as_secs())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, UnixTime::now().as_secs())
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKeys(..)")
    }
}

#[cfg(test)]
mod tests;
