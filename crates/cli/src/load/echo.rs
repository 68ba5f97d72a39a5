//! WebSocket messages that must come back as they were sent.
//!
//! Compares every byte, so an answer that was cut, changed or mixed up with another is not a success.
//! Knows neither the upgrade nor frames: those are the engine's.

use std::sync::Arc;

use bulkhead_load::{Answer, Mismatch, Request, Workload};

use super::variations::Variations;

/// Status of an answer: that of the upgrade.
const STATUS: u16 = 101;

/// Messages, each sent alone and compared with what comes back.
#[derive(Clone, Debug)]
pub(crate) struct EchoWorkload {
    content: Content,
    class: usize,
    scratch: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Content {
    /// Each message tells its number, so no two are the same.
    Numbers,
    /// These, in turn.
    Messages(Arc<[Vec<u8>]>),
}

impl EchoWorkload {
    /// Messages that each tell their number, counted under `class`.
    pub(crate) const fn numbered(class: usize) -> Self {
        Self { content: Content::Numbers, class, scratch: Vec::new() }
    }

    /// Always this message.
    pub(crate) fn bytes(message: Vec<u8>, class: usize) -> Self {
        let content = Content::Messages(Arc::new([message]));
        Self { content, class, scratch: Vec::new() }
    }

    /// This message, with numbers drawn anew where it has placeholders.
    ///
    /// # Errors
    /// If a placeholder is not well formed.
    pub(crate) fn text(message: &str, seed: u64, class: usize) -> anyhow::Result<Self> {
        let texts = Variations::parse(message)?;
        let content = Content::Messages(texts.texts(seed).map(String::into_bytes).collect());
        Ok(Self { content, class, scratch: Vec::new() })
    }
}

impl Content {
    fn push(&self, number: u64, out: &mut Vec<u8>) {
        match self {
            Self::Numbers => out.extend_from_slice(format!("message {number:020}").as_bytes()),
            Self::Messages(messages) => {
                let place = number % messages.len().max(1) as u64;
                out.extend_from_slice(messages.get(place as usize).map_or(&[], Vec::as_slice));
            }
        }
    }
}

impl Workload for EchoWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.key = number;
        request.class = self.class;
        self.content.push(number, &mut request.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status != STATUS {
            return Err(Mismatch::Status);
        }
        self.scratch.clear();
        self.content.push(answer.key, &mut self.scratch);
        if answer.body == self.scratch { Ok(()) } else { Err(Mismatch::Body) }
    }
}

#[cfg(test)]
mod tests;
