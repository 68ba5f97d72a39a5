//! Keys of session tickets (RFC 5077 §4): random ones, or ones from files that several gateways share.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, rand};
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;

use super::error::TlsError;
use super::tickets::TicketKeys;

/// What a client is told of how long a ticket is good, in seconds: twelve hours. With keys from
/// files, what counts is when a key leaves the files.
const LIFETIME_S: u32 = 12 * 3600;
/// Bytes of the name of a key, at its beginning.
const NAME_BYTES: usize = 16;
/// Bytes of a key file: as nginx and HAProxy have them, for AES-256 and for AES-128.
const KEY_FILE_BYTES: [usize; 2] = [80, 48];
/// Bytes of what tells listeners apart whose tickets must not be mixed up.
const SCOPE_BYTES: usize = 32;

/// Keys that session tickets are sealed with. Clones share the keys, so that a session begun at one
/// worker, or under the configuration before a reload, is resumed at any other.
#[derive(Clone)]
pub struct Ticketer(Keys);

#[derive(Clone)]
enum Keys {
    Random(Arc<TicketKeys>),
    Files(Arc<KeyRing>),
}

impl Ticketer {
    /// Fresh random keys, rotated every six hours: a ticket is good for twelve at most, in this
    /// process and those that go on in place of it.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        let keys = TicketKeys::new(UnixTime::now().as_secs())?;
        Ok(Self(Keys::Random(Arc::new(keys))))
    }

    /// Keys from the contents of files of 80 or 48 random bytes. The first one seals, all open:
    /// to rotate, put a new one first at all gateways after it is among the others at all of them.
    ///
    /// # Errors
    /// A file has another length.
    pub fn from_keys<K: AsRef<[u8]>>(files: &[K]) -> Result<Self, TlsError> {
        let keys = files.iter().map(|file| TicketKey::new(file.as_ref())).collect::<Result<_, _>>();
        Ok(Self(Keys::Files(Arc::new(KeyRing(keys?)))))
    }

    /// Changes the random keys ahead of time; tickets that the key before has sealed are still opened.
    /// False: the keys are in files, or the system gives no random numbers.
    pub fn rotate(&self) -> bool {
        match &self.0 {
            Keys::Random(keys) => keys.renew(UnixTime::now().as_secs()),
            Keys::Files(_) => false,
        }
    }

    /// The random keys, for a process that goes on in place of this one; empty: they are in files,
    /// where it finds them itself. They are secret: whoever has them reads the resumed sessions of
    /// TLS 1.2.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Keys::Random(keys) => keys.to_bytes(),
            Keys::Files(_) => Vec::new(),
        }
    }

    /// The random keys of the process before this one; `None`: the bytes are no keys.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        TicketKeys::from_bytes(bytes).map(|keys| Self(Keys::Random(Arc::new(keys))))
    }

    /// Tickets of one kind of listener: those that were sealed under another `scope` are refused.
    /// Without this a client could begin at a listener that asks for no certificate and go on at
    /// one that does, as nothing is verified when a session is resumed.
    pub(super) fn scoped(&self, scope: Option<[u8; SCOPE_BYTES]>) -> Arc<dyn ProducesTickets> {
        let inner: Arc<dyn ProducesTickets> = match &self.0 {
            Keys::Random(keys) => Arc::clone(keys) as _,
            Keys::Files(keys) => Arc::clone(keys) as _,
        };
        Arc::new(Scoped { inner, scope: scope.unwrap_or_default() })
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticketer(..)")
    }
}

struct Scoped {
    inner: Arc<dyn ProducesTickets>,
    scope: [u8; SCOPE_BYTES],
}

impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scoped(..)")
    }
}

impl ProducesTickets for Scoped {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&[&self.scope, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let mut plain = self.inner.decrypt(cipher)?;
        // The text is authentic: what is compared is no secret.
        if !plain.starts_with(&self.scope) {
            return None;
        }
        plain.drain(..SCOPE_BYTES);
        Some(plain)
    }
}

struct TicketKey {
    name: [u8; NAME_BYTES],
    // Resistant to nonces that repeat: many gateways draw them, for as long as the file stays.
    key: LessSafeKey,
}

impl TicketKey {
    fn new(file: &[u8]) -> Result<Self, TlsError> {
        let wrong = || TlsError::TicketKey { bytes: file.len() };
        let (name, secret) = file.split_first_chunk::<NAME_BYTES>().ok_or_else(wrong)?;
        if !KEY_FILE_BYTES.contains(&file.len()) {
            return Err(wrong());
        }
        let refused = |_| TlsError::Setup(rustls::Error::EncryptError);
        let mut bytes = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, name)
            .extract(secret)
            .expand(&[b"bulkhead session ticket"], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut bytes))
            .map_err(refused)?;
        let key = UnboundKey::new(&AES_256_GCM_SIV, &bytes).map_err(refused)?;
        Ok(Self { name: *name, key: LessSafeKey::new(key) })
    }
}

/// Name of the key, nonce, ciphertext with its tag.
struct KeyRing(Vec<TicketKey>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

impl ProducesTickets for KeyRing {
    fn enabled(&self) -> bool {
        !self.0.is_empty()
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_S
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let TicketKey { name, key } = self.0.first()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::from(name), &mut sealed).ok()?;
        Some([&name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = cipher.split_first_chunk::<NAME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let TicketKey { key, .. } = self.0.iter().find(|key| key.name == *name)?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.open_in_place(nonce, Aad::from(name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
mod tests;
