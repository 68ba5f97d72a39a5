//! The lab's side of a process that holds a link.

use std::collections::HashMap;
use std::io::{self, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::protocol::{ASK_BYTES_MAX, LINE_BYTES_MAX};
use super::{Ask, LinkPlace, LinkRequest, Made, Make, Outcome, REMEDY, Reply, Want, line, read};
use crate::GuardianCommand;
use crate::network::Namespace;

/// How long making a link may take.
const MAKE_TIMEOUT: Duration = Duration::from_secs(20);
const SIGKILL: i32 = 9;

/// A process that holds a link.
#[derive(Debug)]
pub(super) struct Holder {
    make: Make,
    place: LinkPlace,
    shared: Arc<Shared>,
    input: Mutex<ChildStdin>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread that reads its answers shares.
#[derive(Debug)]
struct Shared {
    child: Mutex<Child>,
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
    #[error("the process that held the link has ended, and the link with it")]
    Gone,
    #[error("the process that holds the link did not answer before the deadline")]
    Late,
    #[error("the order is too long for the process that holds the link")]
    TooLong,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Holder {
    /// Starts it, and waits until its link is there.
    pub(super) fn start(command: &GuardianCommand, make: Make) -> Result<Self, String> {
        let (sender, started) = sync_channel(2);
        let told = |error: io::Error| format!("start the process that is to hold it: {error}");
        let thread = {
            let (command, make) = (command.clone(), make.clone());
            thread::Builder::new()
                .name(format!("link {}", make.name))
                .spawn(move || run(&command, &make, &sender))
                .map_err(told)?
        };
        let deadline = Instant::now() + MAKE_TIMEOUT;
        let next = || {
            let left = deadline.saturating_duration_since(Instant::now());
            started.recv_timeout(left).map_err(|_| "it did not come in time".to_owned())
        };
        let Begun::Running(shared, input) = next()?? else {
            return Err("it began in another order".to_owned());
        };
        let end = |why| {
            let _ = lock(&shared.child).kill();
            why
        };
        match next().and_then(|begun| begun).map_err(end)? {
            Begun::Made(place) => {
                let (input, thread) = (Mutex::new(input), Mutex::new(Some(thread)));
                Ok(Self { make, place, shared, input, thread })
            }
            Begun::Running(..) => Err(end("it began twice".to_owned())),
        }
    }

    pub(super) const fn place(&self) -> &LinkPlace {
        &self.place
    }

    pub(super) const fn request(&self) -> &LinkRequest {
        &self.make.request
    }

    pub(super) const fn subnet(&self) -> u8 {
        self.make.subnet
    }

    pub(super) fn is_alive(&self) -> bool {
        lock(&self.shared.waiting).is_some()
    }

    /// Asks, and waits until the deadline for the answer.
    pub(super) fn ask(&self, want: Want, deadline: Instant) -> Result<Outcome, AskError> {
        let (sender, answer) = sync_channel(1);
        let number = {
            let mut waiting = lock(&self.shared.waiting);
            let waiting = waiting.as_mut().ok_or(AskError::Gone)?;
            waiting.last += 1;
            waiting.answers.insert(waiting.last, sender);
            waiting.last
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let said = self.say(&Ask { number, want, left });
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

    /// All of it or nothing, and without waiting.
    fn say(&self, ask: &Ask) -> Result<(), AskError> {
        let line = line(ask).map_err(|_| AskError::TooLong)?;
        if line.len() > ASK_BYTES_MAX {
            return Err(AskError::TooLong);
        }
        lock(&self.input).write_all(&line).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => AskError::Late,
            _ => AskError::Gone,
        })
    }

    /// Ends it, and with it the link; returns when both are gone.
    pub(super) fn end(&self) {
        let _ = lock(&self.shared.child).kill();
        if let Some(thread) = lock(&self.thread).take() {
            // It has no result, and a panic was told by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread tells while the link is being made.
enum Begun {
    Running(Arc<Shared>, ChildStdin),
    Made(LinkPlace),
}

/// The thread of a holder, as whose child it ends: it starts it and reads what it says.
fn run(command: &GuardianCommand, make: &Make, starter: &SyncSender<Result<Begun, String>>) {
    let (child, input, output) = match spawn(command, make) {
        Ok(parts) => parts,
        Err(error) => {
            let _ = starter.send(Err(format!("{error}; {REMEDY}")));
            return;
        }
    };
    let waiting = Mutex::new(Some(Waiting::default()));
    let shared = Arc::new(Shared { child: Mutex::new(child), waiting });
    let mut output = BufReader::new(output);
    let mut is_wanted = starter.send(Ok(Begun::Running(Arc::clone(&shared), input))).is_ok();
    if is_wanted {
        let made = match read::<Made>(&mut output, LINE_BYTES_MAX) {
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
    let mut child = lock(&shared.child);
    let _ = child.kill();
    let _ = child.wait();
    // By now the kernel has closed its devices.
    *lock(&shared.waiting) = None;
}

fn spawn(command: &GuardianCommand, make: &Make) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut holder = Command::new(&command.program);
    holder
        .args(&command.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Whoever interrupts the lab from a terminal does not interrupt this.
        .process_group(0);
    if Namespace::new().is_err() {
        bulkhead_transport::start_in_user_namespace(&mut holder);
    }
    bulkhead_transport::end_with_thread(&mut holder, SIGKILL);
    let mut child = holder.spawn()?;
    let parts = child.stdin.take().zip(child.stdout.take());
    let begin = |(mut input, output): (ChildStdin, ChildStdout)| {
        input.write_all(&line(make)?)?;
        // From now on nobody waits for it.
        rustix::io::ioctl_fionbio(&input, true)?;
        Ok((input, output))
    };
    match parts.ok_or_else(|| io::ErrorKind::BrokenPipe.into()).and_then(begin) {
        Ok((input, output)) => Ok((child, input, output)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}
