//! Answers to an ACME server that looks whether a name is ours (HTTP-01, RFC 8555 §8.3), given before
//! anything is routed, and only for tokens that are waited for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use bulkhead_message::{BodyLength, Known, Method, RequestHead, ResponseHead};

use crate::arena::Key;
use crate::worker::Worker;

const PATH: &[u8] = b"/.well-known/acme-challenge/";

/// Key authorizations by token. The lock is taken for requests to [`PATH`] while a name is being
/// proved, and at no other time.
#[derive(Debug, Default)]
pub(crate) struct HttpChallenges {
    any: AtomicBool,
    answers: RwLock<HashMap<Vec<u8>, Vec<u8>>>,
}

impl HttpChallenges {
    /// Replaces all answers.
    pub(crate) fn set(&self, answers: impl IntoIterator<Item = (String, String)>) {
        let answers: HashMap<_, _> = answers
            .into_iter()
            .map(|(token, answer)| (token.into_bytes(), answer.into_bytes()))
            .collect();
        let any = !answers.is_empty();
        *self.answers.write().unwrap_or_else(PoisonError::into_inner) = answers;
        self.any.store(any, Ordering::Release);
    }

    /// Whether a name is being proved.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    fn answer(&self, request: &RequestHead) -> Option<Vec<u8>> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return None;
        }
        let target = request.target();
        let path = target.split(|byte| *byte == b'?').next()?;
        let token = path.strip_prefix(PATH)?;
        self.answers.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

impl Worker {
    /// Answers a request that is a challenge. True: it was one.
    pub(crate) fn answer_challenge(&mut self, key: Key) -> bool {
        let Some(exchange) = self.exchanges.get(key) else { return false };
        let Some(answer) = self.challenges.answer(&exchange.request) else { return false };
        let mut head = ResponseHead::new(200);
        head.fields.push_known(Known::ContentType, b"application/octet-stream");
        head.body = BodyLength::Known(answer.len() as u64);
        self.respond(key, &head, &answer);
        true
    }
}
