//! The thread that hears one agent during the run, and tells the load what a local thread would. An
//! agent that fails, falls silent or contradicts itself is lost; the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::agent::chain;
use super::coordinator::Agents;
use super::frame::Frames;
use super::wire::{Order, Told, shown};
use super::{ALIVE_EVERY, CLOSE_TIMEOUT, SEEN_BYTES_MAX, SILENCE_MAX, WireError};
use crate::Outcome;
use crate::engine::Message;
use crate::report::Summary;
use crate::tally::Tally;

/// Doubts of one agent at most.
const DOUBTS_MAX: usize = 20;

/// One agent of a run that has begun.
pub(super) struct Link {
    pub(super) frames: Frames,
    pub(super) index: usize,
    pub(super) agents: Agents,
    pub(super) classes: usize,
    /// Seconds of the run at most, so that no agent can make the coordinator keep more.
    pub(super) seconds_max: u64,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) sender: SyncSender<Message>,
}

impl Link {
    pub(super) fn run(mut self) {
        let mut next_second = 0;
        let message = match self.hear_all(&mut next_second) {
            Ok(tally) => Message::Done(tally),
            Err(error) => {
                let lost = chain(&error);
                self.agents.note(self.index, |report| report.lost = Some(lost));
                Message::Lost(next_second)
            }
        };
        // An owner that is gone wants neither.
        let _gone = self.sender.send(message);
    }

    /// Everything up to the last word.
    fn hear_all(&mut self, next_second: &mut u64) -> Result<Box<Tally>, WireError> {
        let (mut heard, mut said, mut told_to_stop) = (Instant::now(), Instant::now(), false);
        loop {
            if !told_to_stop && self.stop.load(Ordering::Acquire) {
                self.frames.send(&Order::Stop)?;
                told_to_stop = true;
            }
            if said.elapsed() >= ALIVE_EVERY {
                self.frames.send(&Order::Alive)?;
                said = Instant::now();
            }
            match self.frames.poll(SEEN_BYTES_MAX)? {
                None if heard.elapsed() > SILENCE_MAX => {
                    return Err(WireError::Silent(SILENCE_MAX));
                }
                None => continue,
                Some(Told::Alive) => {}
                Some(Told::Second(slice)) => {
                    let expected = *next_second..self.seconds_max;
                    if !expected.contains(&slice.second) || slice.ok.len() != self.classes {
                        return Err(WireError::OutOfPlace("second"));
                    }
                    *next_second = slice.second + 1;
                    self.sender.send(Message::Second(slice)).map_err(|_| WireError::Closed)?;
                }
                Some(Told::Done { tally, doubts }) => {
                    if tally.classes.len() != self.classes {
                        return Err(WireError::OutOfPlace("done"));
                    }
                    self.note(&tally, &doubts);
                    self.await_close();
                    return Ok(tally);
                }
                Some(told) => return Err(WireError::OutOfPlace(told.name())),
            }
            heard = Instant::now();
        }
    }

    fn note(&self, tally: &Tally, doubts: &[String]) {
        self.agents.note(self.index, |report| {
            report.scheduled = tally.scheduled;
            report.ok =
                tally.classes.iter().map(|class| class.outcomes[Outcome::Ok as usize]).sum();
            report.lag_ms = Summary::of(&tally.lag);
            report.cpu_s = tally.cpu_ns as f64 / 1e9;
            report.cpu_s_max = tally.cpu_ns_max as f64 / 1e9;
            report.doubts = doubts.iter().take(DOUBTS_MAX).map(|doubt| shown(doubt)).collect();
        });
    }

    /// Until the agent has closed, it may still count this session's connection.
    fn await_close(&mut self) {
        let until = Instant::now() + CLOSE_TIMEOUT;
        while Instant::now() < until {
            // Whatever else it says, the results are complete.
            if self.frames.poll::<Told>(SEEN_BYTES_MAX).is_err() {
                break;
            }
        }
    }
}
