//! Toxics as they are declared, with Toxiproxy's names, units and defaults.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;

/// Which way a toxic acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// What a toxic does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Noop,
    Latency(Latency),
    Bandwidth(Bandwidth),
    SlowClose(SlowClose),
    Timeout(Timeout),
    ResetPeer(Timeout),
    Slicer(Slicer),
    LimitData(LimitData),
}

/// Bytes come later, in order: by `latency` ± `jitter` (uniform) ms after they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Latency {
    pub(super) latency: i64,
    pub(super) jitter: i64,
}

/// At most `rate` kB (1,000 bytes) pass in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Bandwidth {
    pub(super) rate: i64,
}

/// The end of the stream comes `delay` ms late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SlowClose {
    pub(super) delay: i64,
}

/// Nothing passes, and after `timeout` ms the connection is closed; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Timeout {
    pub(super) timeout: i64,
}

/// Bytes come in slices of `average_size` ± `size_variation` bytes, `delay` µs apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Slicer {
    pub(super) average_size: i64,
    pub(super) size_variation: i64,
    pub(super) delay: i64,
}

/// After `bytes` bytes the connection is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LimitData {
    pub(super) bytes: i64,
}

/// Longest time that an attribute may name.
const ATTRIBUTE_MS_MAX: i64 = 24 * 3_600 * 1_000;

/// Milliseconds of an attribute; what is negative is nothing.
pub(super) fn millis(attribute: i64) -> Duration {
    Duration::from_millis(attribute.clamp(0, ATTRIBUTE_MS_MAX) as u64)
}

/// Microseconds of an attribute; what is negative is nothing.
pub(super) fn micros(attribute: i64) -> Duration {
    Duration::from_micros(attribute.clamp(0, ATTRIBUTE_MS_MAX * 1_000) as u64)
}

impl Kind {
    fn read(name: &str, attributes: Value) -> Result<Self, ApiError> {
        fn of<T: serde::de::DeserializeOwned>(attributes: Value) -> Result<T, ApiError> {
            serde_json::from_value(attributes).map_err(ApiError::bad_body)
        }
        Ok(match name {
            "noop" => Self::Noop,
            "latency" => Self::Latency(of(attributes)?),
            "bandwidth" => Self::Bandwidth(of(attributes)?),
            "slow_close" => Self::SlowClose(of(attributes)?),
            "timeout" => Self::Timeout(of(attributes)?),
            "reset_peer" => Self::ResetPeer(of(attributes)?),
            "slicer" => Self::Slicer(of(attributes)?),
            "limit_data" => Self::LimitData(of(attributes)?),
            "packet_loss" => {
                return Err(ApiError::bad_toxic(
                    ": packet_loss deletes bytes that TCP has acknowledged already, which is no \
                     packet loss and breaks every protocol above; use a link of the lab with loss",
                ));
            }
            _ => return Err(ApiError::bad_toxic("")),
        })
    }

    /// Whether the two differ in attributes alone.
    pub(super) fn is_same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::SlowClose(_) => "slow_close",
            Self::Timeout(_) => "timeout",
            Self::ResetPeer(_) => "reset_peer",
            Self::Slicer(_) => "slicer",
            Self::LimitData(_) => "limit_data",
        }
    }

    fn attributes(self) -> Value {
        match self {
            Self::Noop => json!({}),
            Self::Latency(attributes) => json!(attributes),
            Self::Bandwidth(attributes) => json!(attributes),
            Self::SlowClose(attributes) => json!(attributes),
            Self::Timeout(attributes) | Self::ResetPeer(attributes) => json!(attributes),
            Self::Slicer(attributes) => json!(attributes),
            Self::LimitData(attributes) => json!(attributes),
        }
    }
}

/// A toxic of a proxy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Toxic {
    /// Unique in its proxy.
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) kind: Kind,
    /// Share of the connections that it acts on, 0 to 1.
    pub(super) toxicity: f32,
    /// When it is taken back by itself.
    pub(super) expires: Instant,
}

/// What a client sends to make or change one. Everything may be missing.
#[derive(Debug, Deserialize)]
struct Input {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    stream: String,
    toxicity: Option<f32>,
    #[serde(default)]
    attributes: Option<Value>,
    /// Ours: milliseconds until it is taken back by itself.
    ttl_ms: Option<u64>,
}

impl Toxic {
    /// Reads a new one.
    pub(super) fn create(body: &[u8], now: Instant, life_max: Duration) -> Result<Self, ApiError> {
        let input: Input = serde_json::from_slice(body).map_err(ApiError::bad_body)?;
        let stream = match input.stream.to_ascii_lowercase().as_str() {
            "upstream" => Stream::Upstream,
            "downstream" | "" => Stream::Downstream,
            _ => return Err(ApiError::bad_stream()),
        };
        let attributes = input.attributes.unwrap_or_else(|| json!({}));
        let kind = Kind::read(&input.kind, attributes)?;
        let name = match input.name.is_empty() {
            true => format!("{}_{}", input.kind, stream.name()),
            false => input.name,
        };
        let toxicity = share(input.toxicity.unwrap_or(1.0))?;
        let life = input.ttl_ms.map_or(life_max, Duration::from_millis).min(life_max);
        Ok(Self { name, stream, kind, toxicity, expires: now + life })
    }

    /// Changes the attributes and the toxicity that are named.
    pub(super) fn update(
        &mut self,
        body: &[u8],
        now: Instant,
        life_max: Duration,
    ) -> Result<(), ApiError> {
        let input: Input = serde_json::from_slice(body).map_err(ApiError::bad_body)?;
        let mut attributes = self.kind.attributes();
        if let (Some(all), Some(Value::Object(changed))) =
            (attributes.as_object_mut(), input.attributes)
        {
            all.extend(changed);
        }
        let kind = Kind::read(self.kind.name(), attributes)?;
        let toxicity = input.toxicity.map_or(Ok(self.toxicity), share)?;
        (self.kind, self.toxicity) = (kind, toxicity);
        if let Some(ms) = input.ttl_ms {
            self.expires = now + Duration::from_millis(ms).min(life_max);
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "attributes": self.kind.attributes(),
            "name": self.name,
            "type": self.kind.name(),
            "stream": self.stream.name(),
            "toxicity": self.toxicity,
        })
    }
}

fn share(toxicity: f32) -> Result<f32, ApiError> {
    if (0.0..=1.0).contains(&toxicity) { Ok(toxicity) } else { Err(ApiError::bad_toxicity()) }
}

#[cfg(test)]
mod tests;
