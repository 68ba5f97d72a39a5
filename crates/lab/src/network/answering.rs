//! The side of a process that holds something for a lab: it hears what the lab wants, does it, and answers.

mod calls;
mod taken_back;

use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{Call, Order};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::held::{ASK_BYTES_MAX, Ask, Outcome, Reply, Want, line, read};
use crate::{Handle, InjectError, Injector, Surroundings};
use calls::Calls;
use taken_back::TakenBack;

/// Most that is believed of how long an answer is of use.
const LEFT_MAX: Duration = Duration::from_secs(60);

/// The socket to the lab.
pub(super) struct Listener {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Listener {
    /// The one that this process was started with.
    pub(super) fn of_standard_input() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { output: stream.try_clone()?, input: BufReader::new(stream) })
    }

    /// What is said first; nothing if the lab is gone.
    pub(super) fn first<F: DeserializeOwned>(&mut self) -> io::Result<Option<F>> {
        read(&mut self.input, ASK_BYTES_MAX as u64)
    }

    /// Answers that.
    pub(super) fn say(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.output.write_all(&line(message)?)
    }

    /// Does what the lab wants until it has gone.
    pub(super) fn serve(
        mut self,
        carry_out: impl Fn(Want, Instant) -> Outcome + Send + Sync + 'static,
    ) -> io::Result<()> {
        let (carry_out, output) = (Arc::new(carry_out), Arc::new(Mutex::new(self.output)));
        let calls = Arc::new(Calls::default());
        while let Some(Ask { number, want, left }) = read(&mut self.input, ASK_BYTES_MAX as u64)? {
            let (carry_out, output) = (Arc::clone(&carry_out), Arc::clone(&output));
            let call = Calls::begin(&calls);
            let deadline = Instant::now() + left.min(LEFT_MAX);
            let answer = move || {
                let _call = call;
                let reply = line(&Reply { number, outcome: carry_out(want, deadline) });
                let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
                // Without a lab there is nobody to be told.
                let _ = reply.and_then(|line| output.write_all(&line));
            };
            thread::Builder::new().name("holder-call".to_owned()).spawn(answer)?;
        }
        Ok(())
    }
}

/// An injector that is asked over a socket.
pub(super) struct Steps<I> {
    injector: I,
    taken_back: TakenBack,
}

impl<I: Injector> Steps<I> {
    pub(super) fn of(injector: I) -> Self {
        Self { injector, taken_back: TakenBack::default() }
    }

    pub(super) fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Outcome {
        Outcome::Effect(self.injector.effect(order, handle, around))
    }

    pub(super) fn take(
        &self,
        call: Call,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Outcome {
        let injector = &self.injector;
        match call {
            Call::Prepare => Outcome::Prepared(injector.prepare(order, around)),
            Call::Inject => {
                let inject = || injector.inject(order, handle, around);
                let late = || InjectError::Permanent("it was taken back before it came".to_owned());
                let done = self.taken_back.unless(order.id, inject);
                Outcome::Done(done.unwrap_or_else(|| Err(late())))
            }
            Call::Verify => Outcome::Seen(injector.verify(order, handle, around)),
            Call::Revert => {
                self.taken_back.add(order.id);
                Outcome::Done(injector.revert(order, handle, around))
            }
            Call::VerifyReverted => Outcome::Seen(injector.verify_reverted(order, handle, around)),
        }
    }
}
