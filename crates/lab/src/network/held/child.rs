//! The lab's side of a process that holds something for it, and of what they say to each other over a Unix
//! socket: one that the lab starts as its child, or one that is met at a path.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::SendFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{ASK_BYTES_MAX, LINE_BYTES_MAX};
use super::{Ask, Made, Outcome, Reply, Want, line, read};
use crate::{GuardianCommand, InjectError};

/// How long making what is to be held may take, where nobody is in a hurry.
pub(in crate::network) const MAKE_TIMEOUT: Duration = Duration::from_secs(20);
const SIGKILL: i32 = 9;

/// Where a process that holds something comes from.
#[derive(Clone, Debug)]
pub(in crate::network) enum Source {
    /// It is started, and ends with the lab.
    Child {
        command: GuardianCommand,
        /// Whether in a user namespace of its own, as root there.
        in_user_namespace: bool,
        /// What to do where it cannot be started.
        remedy: &'static str,
    },
    /// It is met at a socket, and ends when it is left.
    Socket(PathBuf),
}

/// A process that holds something: what was said first, and what it answered.
#[derive(Debug)]
pub(in crate::network) struct Holder<F, P> {
    first: F,
    place: P,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread that reads its answers shares.
#[derive(Debug)]
struct Shared {
    stream: UnixStream,
    /// Nothing of one that somebody else has started.
    child: Option<Mutex<Child>>,
    /// Who waits for which answer; nothing once the process has ended.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    answers: HashMap<u64, SyncSender<Outcome>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::network) enum AskError {
    #[error("the process that held it has ended, and everything that it held")]
    Gone,
    #[error("the process that holds it did not answer before the deadline")]
    Late,
    #[error("the order is too long for the process that holds it")]
    TooLong,
}

impl From<AskError> for InjectError {
    fn from(error: AskError) -> Self {
        match error {
            // Faults vanish with the process.
            AskError::Gone | AskError::TooLong => Self::Permanent(error.to_string()),
            AskError::Late => Self::Unknown(error.to_string()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F, P> Holder<F, P>
where
    F: Clone + Serialize + Send + 'static,
    P: DeserializeOwned + Send + 'static,
{
    /// Starts or meets it, says what is to be said first, and waits until it answers that it holds what was
    /// asked for. `name` is that of the thread.
    pub(in crate::network) fn start(
        name: &str,
        source: &Source,
        first: F,
        deadline: Instant,
    ) -> Result<Self, String> {
        let (sender, started) = sync_channel(2);
        let told = |error: io::Error| format!("start the process that is to hold it: {error}");
        let thread = {
            let (source, first) = (source.clone(), first.clone());
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || run(&source, &first, &sender))
                .map_err(told)?
        };
        let next = || {
            let left = deadline.saturating_duration_since(Instant::now());
            started.recv_timeout(left).map_err(|_| "it did not come in time".to_owned())
        };
        let Begun::Running(shared) = next()?? else {
            return Err("it began in another order".to_owned());
        };
        let end = |why| {
            shared.end();
            why
        };
        match next().and_then(|begun| begun).map_err(end)? {
            Begun::Made(place) => {
                let thread = Mutex::new(Some(thread));
                Ok(Self { first, place, shared, thread })
            }
            Begun::Running(_) => Err(end("it began twice".to_owned())),
        }
    }
}

impl<F, P> Holder<F, P> {
    pub(in crate::network) const fn first(&self) -> &F {
        &self.first
    }

    pub(in crate::network) const fn place(&self) -> &P {
        &self.place
    }

    pub(in crate::network) fn is_alive(&self) -> bool {
        lock(&self.shared.waiting).is_some()
    }

    /// Asks, and waits until the deadline for the answer.
    pub(in crate::network) fn ask(
        &self,
        want: Want,
        deadline: Instant,
    ) -> Result<Outcome, AskError> {
        let (sender, answer) = sync_channel(1);
        let number = {
            let mut waiting = lock(&self.shared.waiting);
            let waiting = waiting.as_mut().ok_or(AskError::Gone)?;
            waiting.last += 1;
            waiting.answers.insert(waiting.last, sender);
            waiting.last
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let said = self.shared.say(&Ask { number, want, left });
        let outcome = said.and_then(|()| {
            let left = deadline.saturating_duration_since(Instant::now());
            answer.recv_timeout(left).map_err(|error| match error {
                RecvTimeoutError::Timeout => AskError::Late,
                RecvTimeoutError::Disconnected => AskError::Gone,
            })
        });
        if outcome.is_err()
            && let Some(waiting) = lock(&self.shared.waiting).as_mut()
        {
            waiting.answers.remove(&number);
        }
        outcome
    }

    /// Ends it, and with it what it holds; returns when both are gone.
    pub(in crate::network) fn end(&self) {
        self.shared.end();
        if let Some(thread) = lock(&self.thread).take() {
            // It has no result, and a panic was told by itself.
            let _ = thread.join();
        }
    }
}

impl<F, P> Drop for Holder<F, P> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// All of it or nothing, and without waiting.
    fn say(&self, message: &impl Serialize) -> Result<(), AskError> {
        let line = line(message).map_err(|_| AskError::TooLong)?;
        if line.len() > ASK_BYTES_MAX {
            return Err(AskError::TooLong);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(&self.stream, &line, flags) {
            Ok(sent) if sent == line.len() => Ok(()),
            Err(rustix::io::Errno::AGAIN) => Err(AskError::Late),
            Ok(_) => {
                // What follows half a line would not be understood.
                self.end();
                Err(AskError::Gone)
            }
            Err(_) => Err(AskError::Gone),
        }
    }

    fn end(&self) {
        if let Some(child) = &self.child {
            let _ = lock(child).kill();
        }
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// What the thread tells while it begins.
enum Begun<P> {
    Running(Arc<Shared>),
    Made(P),
}

/// The thread of a holder, as whose child it ends: it starts it and reads what it says.
fn run<F: Serialize, P: DeserializeOwned>(
    source: &Source,
    first: &F,
    starter: &SyncSender<Result<Begun<P>, String>>,
) {
    let (stream, child) = match meet(source) {
        Ok(parts) => parts,
        Err(error) => {
            let _ = starter.send(Err(error));
            return;
        }
    };
    let waiting = Mutex::new(Some(Waiting::default()));
    let shared = Arc::new(Shared { stream, child: child.map(Mutex::new), waiting });
    let mut output = BufReader::new(&shared.stream);
    let mut is_wanted = starter.send(Ok(Begun::Running(Arc::clone(&shared)))).is_ok();
    if is_wanted {
        // One that does not want to hear it says why.
        let _ = shared.say(first);
        let made = match read::<Made<P>>(&mut output, LINE_BYTES_MAX) {
            Ok(Some(made)) => made,
            Ok(None) => Err("the process that was to hold it has ended".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let is_made = made.is_ok();
        is_wanted = starter.send(made.map(Begun::Made)).is_ok() && is_made;
    }
    while is_wanted && let Ok(Some(reply)) = read::<Reply>(&mut output, LINE_BYTES_MAX) {
        let mut waiting = lock(&shared.waiting);
        // Whoever has waited too long is gone.
        if let Some(asker) = waiting.as_mut().and_then(|it| it.answers.remove(&reply.number)) {
            let _ = asker.send(reply.outcome);
        }
    }
    shared.end();
    if let Some(child) = &shared.child {
        let _ = lock(child).wait();
    }
    // By now the kernel has closed what a child had.
    *lock(&shared.waiting) = None;
}

fn meet(source: &Source) -> Result<(UnixStream, Option<Child>), String> {
    match source {
        Source::Child { command, in_user_namespace, remedy } => spawn(command, *in_user_namespace)
            .map(|(stream, child)| (stream, Some(child)))
            .map_err(|error| format!("{error}; {remedy}")),
        Source::Socket(path) => UnixStream::connect(path)
            .map(|stream| (stream, None))
            .map_err(|error| format!("connect to {}: {error}", path.display())),
    }
}

/// A child whose standard input is the other end of a socket.
fn spawn(command: &GuardianCommand, in_user_namespace: bool) -> io::Result<(UnixStream, Child)> {
    let (ours, its) = UnixStream::pair()?;
    let mut holder = Command::new(&command.program);
    holder
        .args(&command.arguments)
        .stdin(OwnedFd::from(its))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Whoever interrupts the lab from a terminal does not interrupt this.
        .process_group(0);
    if in_user_namespace {
        bulkhead_transport::start_in_user_namespace(&mut holder);
    }
    bulkhead_transport::end_with_thread(&mut holder, SIGKILL);
    Ok((ours, holder.spawn()?))
}
