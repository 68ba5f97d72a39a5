//! What a scenario says besides its requests: targets, load, tokens; and what it needs from outside.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bulkhead_load::{Phase, Process};

use crate::endpoint::Endpoint;

/// What the parser cannot know or do itself.
pub struct Surroundings<'a> {
    /// Stands for the URL of the only target.
    pub url: Option<&'a str>,
    /// Reads a file that the scenario names, relative to the scenario's own folder. The error is told to
    /// the user: `no such file`.
    pub read: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// Encodes a gRPC message, without its prefix, from the path of the call and its JSON. The error is
    /// told to the user. `None`: there are no descriptors to encode by.
    pub encode_message: Option<&'a EncodeMessage<'a>>,
    /// Whether a text is an assertion on a run, such as `p99<10ms`. The error is told to the user.
    pub check_assertion: &'a dyn Fn(&str) -> Result<(), String>,
}

/// From the path of a gRPC call and the JSON of a message to its bytes.
pub type EncodeMessage<'a> = dyn Fn(&str, &str) -> Result<Vec<u8>, String> + 'a;

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// A server and how to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSettings {
    /// Its name in the scenario.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Path that stands before those of the requests; empty or begins with `/`.
    pub base: String,
    /// Connections over all threads; `None`: as suits the load.
    pub connections: Option<usize>,
    /// Requests in flight per connection; `None`: as the generator chooses.
    pub streams: Option<usize>,
    /// Mean life of a connection; `None`: for ever.
    pub connection_life: Option<Duration>,
    /// Requests on a connection; `None`: without end.
    pub connection_requests: Option<u64>,
    /// Local addresses; empty: the system chooses.
    pub sources: Vec<IpAddr>,
    /// How its certificate is checked.
    pub tls: TlsSettings,
}

impl TargetSettings {
    /// One whose connections live for ever, with the certificate checked against the public web's.
    pub fn new(
        name: impl Into<String>,
        endpoint: Endpoint,
        connections: impl Into<Option<usize>>,
    ) -> Self {
        Self {
            name: name.into(),
            endpoint,
            base: String::new(),
            connections: connections.into(),
            streams: None,
            connection_life: None,
            connection_requests: None,
            sources: Vec::new(),
            tls: TlsSettings::default(),
        }
    }
}

/// TLS towards a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Trust anchors as PEM; `None`: those of the public web.
    pub ca_pem: Option<Vec<u8>>,
    /// Name for SNI and verification; `None`: the host of the URL.
    pub server_name: Option<String>,
    /// Any certificate passes.
    pub skip_verify: bool,
}

/// When requests are sent, for how long, and how patiently.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSettings {
    /// Open or closed loop.
    pub pace: Pace,
    /// Load before the measured part, at the rate of its beginning.
    pub warmup: Duration,
    /// Load after it, at the rate of its end.
    pub cooldown: Duration,
    /// Time for a whole answer.
    pub timeout: Duration,
    /// Times that a request is sent again whose answer never came whole.
    pub retries: u32,
    /// Generator threads.
    pub threads: usize,
    /// Everything random is drawn from it; `None`: whoever calls chooses.
    pub seed: Option<u64>,
}

/// When requests are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// At their times, come what may.
    Open {
        /// The measured part.
        phases: Vec<Phase>,
        /// Distribution of the gaps.
        process: Process,
    },
    /// As soon as earlier ones have ended.
    Closed {
        /// In flight, or thinking.
        clients: usize,
        /// From an answer to the next request.
        think: Duration,
        /// The measured part.
        duration: Duration,
    },
}

/// A pool of signed tokens (RFC 7519).
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSettings {
    /// Its name in the scenario.
    pub name: String,
    /// Number of tokens.
    pub count: u64,
    /// How they are signed.
    pub algorithm: Algorithm,
    /// With what.
    pub key: SigningKey,
    /// `kid` of their headers.
    pub key_id: Option<String>,
    /// Claims as a JSON object, without `iat` and `exp`. `{index}` in a text stands for the token's
    /// number from 0.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
    /// Where the public key is to be written as a JWKS document.
    pub jwks_file: Option<String>,
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
}

/// A private key or a secret. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// The content of a file: PEM, or for HS256 the secret itself.
    Given(Vec<u8>),
    /// Made for the run.
    Generated,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given(..)",
            Self::Generated => "Generated",
        })
    }
}

impl TokenSettings {
    /// The claims of token `index`, without `iat` and `exp`.
    pub fn claims_of(&self, index: u64) -> serde_json::Map<String, serde_json::Value> {
        let index = index.to_string();
        let member =
            |(name, value): (&String, &serde_json::Value)| (name.clone(), fill(value, &index));
        self.claims.iter().map(member).collect()
    }
}

/// The value with `{index}` replaced in its texts.
fn fill(value: &serde_json::Value, index: &str) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(text.replace("{index}", index)),
        Value::Array(items) => items.iter().map(|item| fill(item, index)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill(value, index))).collect()
        }
        other => other.clone(),
    }
}
