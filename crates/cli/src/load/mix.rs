//! Several kinds of requests by weight from a flag: `http2=72,grpc=28`.

use bulkhead_load::{Answer, Mismatch, Random, Request, Workload};

use super::echo::EchoWorkload;
use super::grpc::GrpcWorkload;
use super::workload::PlainWorkload;

/// A kind of request that a mix may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http1,
    Http2,
    Grpc,
    WebSocket,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::Grpc, Self::WebSocket];

    /// As it is written, and as its class is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::WebSocket => "websocket",
        }
    }
}

/// Kinds with their weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix(pub(crate) Vec<(Kind, f64)>);

impl Mix {
    /// Reads one; `h1`, `h2` and `ws` are short for `http1`, `http2` and `websocket`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<(Kind, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` has no weight; expected `http2=72,grpc=28`"))?;
            let long = match name.trim() {
                "h1" => "http1",
                "h2" => "http2",
                "ws" => "websocket",
                name => name,
            };
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == long).ok_or_else(|| {
                format!("`{long}` is no kind; there are http1, http2, grpc and websocket")
            })?;
            let weight = weight.trim().parse::<f64>().ok().filter(|w| (0.001..=1e6).contains(w));
            let weight =
                weight.ok_or_else(|| format!("the weight of `{long}` is no number over 0"))?;
            if parts.iter().any(|&(other, _)| other == kind) {
                return Err(format!("`{long}` stands twice"));
            }
            parts.push((kind, weight));
        }
        Ok(Self(parts))
    }
}

/// The requests of one kind.
#[derive(Clone, Debug)]
pub(crate) enum PartWorkload {
    Plain(PlainWorkload),
    Grpc(GrpcWorkload),
    Echo(EchoWorkload),
}

impl PartWorkload {
    fn either(&mut self) -> &mut dyn Workload {
        match self {
            Self::Plain(workload) => workload,
            Self::Grpc(workload) => workload,
            Self::Echo(workload) => workload,
        }
    }
}

/// Draws a kind for each request. Class `n` is the `n`th workload's.
#[derive(Clone, Debug)]
pub(crate) struct MixedWorkload {
    /// With the sum of the weights up to it, as a share of all.
    parts: Vec<(f64, PartWorkload)>,
    seed: u64,
}

impl MixedWorkload {
    pub(crate) fn new(parts: Vec<(f64, PartWorkload)>, seed: u64) -> Self {
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        let mut sum = 0.0;
        let cumulate = |(weight, workload)| {
            sum += weight / total;
            (sum, workload)
        };
        Self { parts: parts.into_iter().map(cumulate).collect(), seed }
    }
}

impl Workload for MixedWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        // Another stream of numbers than the one that fills the placeholders.
        let draw = Random::numbered(!self.seed, number).unit();
        let last = self.parts.len() - 1;
        let class = self.parts.iter().position(|&(up_to, _)| draw < up_to).unwrap_or(last);
        self.parts[class].1.either().prepare(number, request);
        request.class = class;
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        self.parts[answer.class].1.either().check(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_are_read() {
        let mix = Mix::parse("h2=72, grpc=28").unwrap();
        assert_eq!(mix.0, [(Kind::Http2, 72.0), (Kind::Grpc, 28.0)]);
        for (text, expected) in [
            ("h2", "no weight"),
            ("h2=x", "no number over 0"),
            ("h2=0", "no number over 0"),
            ("h4=1", "there are http1"),
            ("h2=1,http2=2", "stands twice"),
        ] {
            let error = Mix::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
