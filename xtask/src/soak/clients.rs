//! Clients of our own, for what the load generator cannot tell apart: requests that may fail because
//! the endpoint died with them in flight, and clients that are slow.
//!
//! A failure is allowed only if an endpoint was killed between the moment at which the client began and
//! the one at which it knew of the failure. Nobody else's death excuses it, nor one before it began.

use std::io;
use std::time::{Duration, Instant};

use bulkhead_load::Random;
use serde::Serialize;

use super::configuration::{FLOCK, STEADY};
use super::site::Site;
use super::storm::Storm;
use super::wire::{Answer, Connection};
use super::workload::push_noise;

/// Bodies of requests, in bytes.
const BODY_BYTES_MAX: u64 = 4_000;
/// Downloads, in bytes: several reads, so that an endpoint may die in the middle of one.
const DOWNLOAD_BYTES: u64 = 600_000;
/// What a slow client sends at once, and its pause after that.
const SLOW_PIECE_BYTES: usize = 97;
const SLOW_PAUSE: Duration = Duration::from_millis(15);
/// What a slow client downloads, and its pause before each read.
const SLOW_DOWNLOAD_BYTES: u64 = 1_500_000;

/// What a client does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Small requests that may not be repeated, to endpoints that die.
    Post,
    /// Downloads from endpoints that die: what has begun cannot be repeated.
    Download,
    /// Requests through a relay to endpoints that die, which end it.
    Relay,
    /// Head and body in small pieces.
    SlowUpload,
    /// Reads with pauses.
    SlowDownload,
}

impl Habit {
    pub(super) const ALL: [Self; 5] =
        [Self::Post, Self::Download, Self::Relay, Self::SlowUpload, Self::SlowDownload];

    const fn name(self) -> &'static str {
        match self {
            Self::Post => "http/1.1 POST, dying endpoints",
            Self::Download => "download, dying endpoints",
            Self::Relay => "tcp relay, dying endpoints",
            Self::SlowUpload => "slow upload",
            Self::SlowDownload => "slow download",
        }
    }

    const fn pause(self) -> Duration {
        Duration::from_millis(match self {
            Self::Post | Self::Relay => 10,
            Self::Download => 50,
            Self::SlowUpload | Self::SlowDownload => 100,
        })
    }

    /// Whether the death of an endpoint excuses a failure.
    const fn may_fail(self) -> bool {
        matches!(self, Self::Post | Self::Download | Self::Relay)
    }
}

/// What came of one client's requests.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) ok: u64,
    /// Failed because the endpoint died, as it may.
    pub(super) allowed: u64,
    /// Failed, and should not have; or a wrong answer.
    pub(super) wrong: u64,
    /// Requests that have a record of the gateway.
    #[serde(skip)]
    pub(super) recorded: u64,
}

/// Does it until the storm stops.
pub(super) fn live(habit: Habit, site: &Site, storm: &Storm, seed: u64) -> Outcome {
    let mut outcome =
        Outcome { name: habit.name().to_owned(), ok: 0, allowed: 0, wrong: 0, recorded: 0 };
    let mut random = Random::new(seed);
    let mut client = Client { habit, site, open: None };
    while !storm.is_stopped() {
        let key = random.next();
        let began = client.open.as_ref().map(|(since, _)| *since).filter(|_| habit == Habit::Relay);
        let began = began.unwrap_or_else(Instant::now);
        outcome.recorded += u64::from(habit != Habit::Relay);
        match client.ask(key) {
            Ok(()) => outcome.ok += 1,
            Err(Fault::Failed(_)) if excused(habit, storm, began) => outcome.allowed += 1,
            Err(Fault::Failed(why) | Fault::Wrong(why)) => {
                outcome.wrong += 1;
                let lasted = began.elapsed().as_secs_f64() * 1e3;
                storm.wrong(format_args!("{}: {why}, after {lasted:.1} ms", habit.name()));
            }
        }
        storm.rest(habit.pause());
    }
    outcome
}

fn excused(habit: Habit, storm: &Storm, began: Instant) -> bool {
    habit.may_fail() && storm.death_between(began, Instant::now())
}

/// How a request may end badly.
enum Fault {
    /// It was not answered, not to the end, or that the upstream failed.
    Failed(String),
    /// The answer is another one.
    Wrong(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

struct Client<'a> {
    habit: Habit,
    site: &'a Site,
    /// And since when.
    open: Option<(Instant, Connection)>,
}

impl Client<'_> {
    /// Makes a request. The connection is kept if the answer came whole.
    fn ask(&mut self, key: u64) -> Result<(), Fault> {
        let (since, mut connection) = match self.open.take() {
            Some(open) => open,
            None => (Instant::now(), Connection::open(self.port())?),
        };
        let (request, expected) = self.request(key);
        let pause = if self.habit == Habit::SlowUpload { SLOW_PAUSE } else { Duration::ZERO };
        let piece = if pause.is_zero() { request.len() } else { SLOW_PIECE_BYTES };
        for piece in request.chunks(piece.max(1)) {
            connection.send(piece)?;
            std::thread::sleep(pause);
        }
        let slow = self.habit == Habit::SlowDownload;
        let answer = connection.answer(|| {
            if slow {
                std::thread::sleep(SLOW_PAUSE);
            }
        })?;
        judge(&answer, &expected)?;
        self.open = Some((since, connection));
        Ok(())
    }

    const fn port(&self) -> u16 {
        match self.habit {
            Habit::Relay => self.site.ports.fragile_relay,
            _ => self.site.ports.plain,
        }
    }

    /// The request's bytes and the body of its right answer.
    fn request(&self, key: u64) -> (Vec<u8>, Vec<u8>) {
        let (host, download) = match self.habit {
            Habit::Post | Habit::Relay => (FLOCK, None),
            Habit::Download => (FLOCK, Some(DOWNLOAD_BYTES)),
            Habit::SlowUpload => (STEADY, None),
            Habit::SlowDownload => (STEADY, Some(SLOW_DOWNLOAD_BYTES)),
        };
        if let Some(length) = download {
            let head = format!("GET /bytes/{length} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            return (
                head.into_bytes(),
                (0..length).map(|place| b'a' + (place % 26) as u8).collect(),
            );
        }
        let mut body = Vec::new();
        push_noise(key, 1 + key % BODY_BYTES_MAX, &mut body);
        let length = body.len();
        let head =
            format!("POST /echo HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
        ([head.as_bytes(), &body].concat(), body)
    }
}

fn judge(answer: &Answer, expected: &[u8]) -> Result<(), Fault> {
    let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(80)]).into_owned();
    match (answer.status, &answer.broken) {
        (200, None) if answer.body == expected => Ok(()),
        (200, Some(why)) if expected.starts_with(&answer.body) => {
            Err(Fault::Failed(format!("broken off after {} bytes: {why}", answer.body.len())))
        }
        (200, _) => {
            Err(Fault::Wrong(format!("another body of {} bytes: {start}", answer.body.len())))
        }
        (502..=504, None) => Err(Fault::Failed(format!("{}: {start}", answer.status))),
        (status, _) => Err(Fault::Wrong(format!("status {status}: {start}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_bytes_are_never_a_failure_that_may_be_allowed() {
        let answer = |status, body: &[u8], broken: bool| Answer {
            status,
            body: body.to_vec(),
            broken: broken.then(|| "end".to_owned()),
        };
        assert!(judge(&answer(200, b"hello", false), b"hello").is_ok());
        for (answer, failed) in [
            (answer(200, b"hell", true), true),
            (answer(502, b"bad gateway", false), true),
            (answer(200, b"help", true), false),
            (answer(200, b"hell", false), false),
            (answer(404, b"", false), false),
            (answer(500, b"", false), false),
        ] {
            let fault = judge(&answer, b"hello").unwrap_err();
            assert_eq!(matches!(fault, Fault::Failed(_)), failed, "{answer:?}");
        }
    }
}
