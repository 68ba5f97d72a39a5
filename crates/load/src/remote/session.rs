//! One coordinator at an agent, from the greeting to the last message. Without the coordinator, or
//! without a word from it, the load ends.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::agent::{Plan, Shared, chain};
use super::frame::Frames;
use super::handshake;
use super::wire::{Job, Order, Told};
use super::{
    ALIVE_EVERY, CLASSES_MAX, JOB_BYTES_MAX, ORDER_BYTES_MAX, PREPARE_TIMEOUT, SILENCE_MAX,
    THREADS_MAX, WireError,
};
use crate::engine::{Load, Prepared};
use crate::options::Share;

/// Longest time from the word to the first request.
const START_AFTER_MAX: Duration = Duration::from_secs(60);
/// Wait for the job.
const JOB_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn serve(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Result<(), WireError> {
    let mut frames = Frames::new(stream)?;
    handshake::accept(&mut frames, shared.secret.as_ref())?;
    let Some(slot) = shared.take_slot() else {
        return refuse(&mut frames, "the agent serves another coordinator".to_owned());
    };
    let Order::Job(job) = frames.receive(JOB_BYTES_MAX, JOB_TIMEOUT)? else {
        return Err(WireError::OutOfPlace("an order before the job"));
    };
    let job = job.into_job().ok_or(WireError::OutOfPlace("seed"))?;
    let Plan { options, workload, mut doubts } = match plan(&job, shared) {
        Ok(plan) => plan,
        Err(reason) => return refuse(&mut frames, reason),
    };
    let (threads, classes) = (options.threads.max(1), options.classes.len());
    (shared.log)(&format!("{peer}: a job of {threads} threads, {:?}", options.whole()));
    frames.send(&Told::Planned { threads, classes })?;

    let share = match await_order(&mut frames, shared)? {
        Order::Prepare { first, parts } => Share { first, parts },
        _ => return Err(WireError::OutOfPlace("an order before the share")),
    };
    let whole = share.first.checked_add(threads).is_some_and(|end| end <= share.parts);
    if !whole || share.parts > THREADS_MAX * super::AGENTS_MAX {
        return Err(WireError::OutOfPlace("share"));
    }
    let options = crate::LoadOptions { share: Some(share), ..options };
    let prepared = match Load::prepare(options, workload) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&mut frames, chain(&error)),
    };
    frames.send(&Told::Ready)?;
    let Some(mut load) = await_start(&mut frames, shared, prepared)? else { return Ok(()) };
    run(&mut frames, shared, &mut load)?;
    let (tally, seconds) = load.wait();
    for second in seconds {
        frames.send(&Told::Second(Box::new(second)))?;
    }
    drop(load);
    // Before the last word, after which the coordinator may come again at once.
    drop(slot);
    frames.send(&Told::Done { tally: Box::new(tally), doubts: doubts() })?;
    (shared.log)(&format!("{peer}: done"));
    Ok(())
}

fn refuse(frames: &mut Frames, reason: String) -> Result<(), WireError> {
    frames.send(&Told::Refused { reason: reason.clone() })?;
    Err(WireError::Refused(reason))
}

fn plan(job: &Job, shared: &Shared) -> Result<Plan, String> {
    let plan = (shared.build)(job).map_err(|error| chain(error.as_ref()))?;
    let options = &plan.options;
    if options.threads > THREADS_MAX || options.classes.len() > CLASSES_MAX {
        return Err(format!(
            "{THREADS_MAX} threads and {CLASSES_MAX} classes of requests are the limits"
        ));
    }
    for target in &options.targets {
        if !shared.allowed.allows(target.address.ip()) {
            return Err(format!("{} is no target that the agent may load", target.address));
        }
    }
    Ok(plan)
}

/// The next order that is more than a sign of life.
fn await_order(frames: &mut Frames, shared: &Shared) -> Result<Order, WireError> {
    let until = Instant::now() + PREPARE_TIMEOUT;
    while Instant::now() < until {
        if shared.stop.load(Ordering::Acquire) {
            return Err(WireError::Closed);
        }
        match frames.poll(ORDER_BYTES_MAX)? {
            None | Some(Order::Alive) => {}
            Some(Order::Ping) => frames.send(&Told::Pong)?,
            Some(order) => return Ok(order),
        }
    }
    Err(WireError::Silent(PREPARE_TIMEOUT))
}

/// `None`: the coordinator has thought better of it.
fn await_start(
    frames: &mut Frames,
    shared: &Shared,
    prepared: Prepared,
) -> Result<Option<Load>, WireError> {
    let after = match await_order(frames, shared)? {
        Order::Start { after_us } => Duration::from_micros(after_us),
        Order::Stop => return Ok(None),
        _ => return Err(WireError::OutOfPlace("an order before the start")),
    };
    let start = Instant::now() + after.min(START_AFTER_MAX);
    frames.send(&Told::Starting)?;
    std::thread::sleep(start.saturating_duration_since(Instant::now()));
    Ok(Some(prepared.begin(start)))
}

/// Until the load is over, hands on its seconds and heeds the coordinator.
fn run(frames: &mut Frames, shared: &Shared, load: &mut Load) -> Result<(), WireError> {
    let (mut heard, mut said) = (Instant::now(), Instant::now());
    while !load.is_over() {
        if shared.stop.load(Ordering::Acquire) {
            return Err(WireError::Closed);
        }
        while let Some(second) = load.next_second(Duration::ZERO) {
            frames.send(&Told::Second(Box::new(second)))?;
            said = Instant::now();
        }
        if said.elapsed() >= ALIVE_EVERY {
            frames.send(&Told::Alive)?;
            said = Instant::now();
        }
        match frames.poll(ORDER_BYTES_MAX)? {
            Some(Order::Stop) => load.stop(),
            Some(Order::Alive) => {}
            Some(_) => return Err(WireError::OutOfPlace("an order during the run")),
            None if heard.elapsed() > SILENCE_MAX => return Err(WireError::Silent(SILENCE_MAX)),
            None => continue,
        }
        heard = Instant::now();
    }
    Ok(())
}
