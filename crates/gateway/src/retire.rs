//! Connections of clients that have served their share of requests, or are old: they are closed in
//! good order, so that clients spread over gateways anew, and whatever a connection holds is given
//! back in the end.
//!
//! In two phases, as a drain: the client is told, and served for a round trip more; then nothing new is
//! taken. HTTP/1 closes with the answer in hand.

use std::time::{Duration, Instant};

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, FailureKind};
use bulkhead_upstream::Rng;

use crate::arena::Key;
use crate::drain::DRAIN_GRACE;
use crate::worker::Worker;

/// How far a connection is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Serving,
    /// The client was told, at this time.
    Told(Instant),
    /// Nothing new is taken, since this time.
    Refusing(Instant),
    /// What was in flight was cut off.
    CutOff,
}

/// The life of a client's connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    requests: u32,
    /// When it is old; `None`: never.
    expires: Option<Instant>,
    stage: Stage,
}

impl Life {
    /// A connection that begins now. Its age is the limit give or take a tenth.
    pub(crate) fn new(age_max: Option<Duration>, now: Instant, rng: &mut Rng) -> Self {
        let expires = age_max.and_then(|age| {
            let tenth = u64::try_from(age.as_nanos() / 10).unwrap_or(u64::MAX / 4);
            let jitter = Duration::from_nanos(rng.below(2 * tenth + 1));
            now.checked_add(age - age / 10 + jitter)
        });
        Self { expires, ..Self::default() }
    }

    /// When the next step is due.
    fn due(&self, grace: Option<Duration>) -> Option<Instant> {
        match self.stage {
            Stage::Serving => self.expires,
            Stage::Told(at) => at.checked_add(DRAIN_GRACE),
            Stage::Refusing(at) => at.checked_add(grace?),
            Stage::CutOff => None,
        }
    }
}

impl Worker {
    /// A request came on a connection: after its share of them the client is told.
    pub(crate) fn count_request(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let life = &mut connection.life;
        life.requests = life.requests.saturating_add(1);
        let max = self.snapshot.limits.connection_requests_max;
        if max.is_some_and(|max| life.requests >= max) && life.stage == Stage::Serving {
            self.tell_to_leave(key, "requests");
        }
    }

    /// When a connection is due to go a step further on its way out.
    pub(crate) fn retirement_due(&self, key: Key) -> Option<Instant> {
        let connection = self.connections.get(key)?;
        // At its end it is under other limits.
        if connection.closing || connection.lingering || !connection.is_downstream() {
            return None;
        }
        let due = connection.life.due(self.snapshot.limits.connection_age_grace);
        // Before its first words nobody can be told, and it is under `head_timeout`.
        due.filter(|due| connection.codec.is_some() || *due > self.now)
    }

    /// Takes the step that is due.
    pub(crate) fn retire_further(&mut self, key: Key) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        match connection.life.stage {
            Stage::Serving => self.tell_to_leave(key, "age"),
            Stage::Told(_) => {
                connection.life.stage = Stage::Refusing(now);
                codec.refuse_new(ErrorCode::NO_ERROR, &mut connection.out.bytes);
                self.touch(key);
            }
            Stage::Refusing(_) => {
                connection.life.stage = Stage::CutOff;
                self.cut_off(key);
            }
            Stage::CutOff => {}
        }
    }

    fn tell_to_leave(&mut self, key: Key, reason: &'static str) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        connection.life.stage = Stage::Told(now);
        codec.announce_close(&mut connection.out.bytes);
        self.shard.connection_retired(reason);
        self.touch(key);
        self.set_connection_timer(key);
    }

    /// Ends the exchanges of a connection whose grace is over.
    fn cut_off(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut tags = Vec::new();
        if let Some(codec) = connection.codec.as_mut() {
            codec.for_each_stream(|_, tag| tags.push(*tag));
        }
        for exchange in tags.into_iter().map(Key::from_tag) {
            let detail = "the connection reached its age limit";
            let failure = Failure::gateway(FailureKind::DeadlineExceeded, detail);
            self.guarded(exchange, |_| Err(failure));
        }
        self.touch(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_lie_within_a_tenth_of_the_limit() {
        let (now, age) = (Instant::now(), Duration::from_secs(100));
        let mut rng = Rng::new(3);
        let ages: Vec<Duration> = (0..1_000)
            .filter_map(|_| Life::new(Some(age), now, &mut rng).expires)
            .map(|expires| expires - now)
            .collect();
        assert_eq!(ages.len(), 1_000);
        let (low, high) = (Duration::from_secs(90), Duration::from_secs(110));
        assert!(ages.iter().all(|age| (low..=high).contains(age)));
        assert!(ages.iter().any(|age| *age < Duration::from_secs(92)));
        assert!(ages.iter().any(|age| *age > Duration::from_secs(108)));
        assert_eq!(Life::new(None, now, &mut rng).expires, None);
    }
}
