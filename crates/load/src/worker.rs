//! A generator thread: takes up what is due, sends it, and turns until all is answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bulkhead_codec::Heads;
use mio::{Events, Poll, Token};

use crate::clock::{Alarm, since, thread_cpu_time};
use crate::engine::{Message, Refusal};
use crate::flight::{Cause, Flights};
use crate::later::{Later, LaterQueue};
use crate::options::{Arrivals, LoadOptions, portion};
use crate::pool::{Pending, Pool, Slot};
use crate::schedule::{Random, Times};
use crate::tally::{Slice, Tally};
use crate::workload::{Request, Workload};

mod answers;
mod connections;
mod send;

use connections::Look;

const ALARM: Token = Token(usize::MAX);
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Time for the first connections to come up before the run.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// And besides for each.
const CONNECT_TIMEOUT_EACH: Duration = Duration::from_millis(1);
/// Longest wait of a turn: time-outs and reconnects are looked at so often.
const TURN_NS_MAX: u64 = 20_000_000;
/// One second.
const SECOND_NS: u64 = 1_000_000_000;

/// State of one thread.
pub(crate) struct Worker {
    options: Arc<LoadOptions>,
    /// Which part of how many it is.
    part: usize,
    parts: usize,
    workload: Box<dyn Workload>,
    stop: Arc<AtomicBool>,
    sender: SyncSender<Message>,
    poll: Poll,
    alarm: Alarm,
    /// When the alarm wakes the poll, unless set anew.
    alarm_at_ns: u64,
    start: Instant,
    slots: Vec<Slot>,
    /// Slots without a connection.
    vacant: Vec<usize>,
    pools: Vec<Pool>,
    /// When connections have had their time: time, slot, generation, and what for.
    lives: BinaryHeap<Reverse<(u64, usize, u32, Look)>>,
    /// Decides how long each connection lives.
    random: Random,
    dirty: Vec<usize>,
    flights: Flights,
    later: LaterQueue,
    times: Option<Times>,
    next_due: u64,
    /// Arrivals of this thread so far.
    taken: u64,
    /// Clients of this thread in a closed loop: at most, and those that are at work or think.
    clients_max: usize,
    clients: usize,
    think_ns: u64,
    /// New requests may still be sent.
    sending: bool,
    request: Request,
    heads: Heads,
    tally: Tally,
    slice: Slice,
    /// CPU time at the beginning of the measured part.
    cpu_begun: Option<Duration>,
    buffer: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(
        options: Arc<LoadOptions>,
        part: usize,
        workload: Box<dyn Workload>,
        stop: Arc<AtomicBool>,
        sender: SyncSender<Message>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let classes = options.classes.len();
        let parts = options.parts().parts.max(1);
        let (mut times, mut clients_max, mut think_ns) = (None, 0, 0);
        match &options.arrivals {
            Arrivals::Open(schedule) => times = Some(schedule.times(part, parts)),
            Arrivals::Closed { in_flight, think } => {
                clients_max = portion(*in_flight, part, parts).max(1);
                think_ns = think.as_nanos() as u64;
            }
        }
        let next_due = times.as_mut().and_then(Iterator::next).unwrap_or(u64::MAX);
        let connections = |total| portion(total, part, parts).max(1);
        let begin = options.warmup.as_nanos() as u64;
        let window = begin..begin + options.duration.as_nanos() as u64;
        Ok(Self {
            pools: options
                .targets
                .iter()
                .map(|target| Pool::new(connections(target.connections)))
                .collect(),
            options,
            part,
            parts,
            workload,
            stop,
            sender,
            poll,
            alarm,
            alarm_at_ns: 0,
            start: Instant::now(),
            slots: Vec::new(),
            vacant: Vec::new(),
            lives: BinaryHeap::new(),
            random: Random::new(part as u64),
            dirty: Vec::new(),
            flights: Flights::default(),
            later: LaterQueue::default(),
            times,
            next_due,
            taken: 0,
            clients_max,
            clients: 0,
            think_ns,
            sending: true,
            request: Request::default(),
            heads: Heads::default(),
            tally: Tally::new(classes, window),
            slice: Slice::new(0, classes),
            cpu_begun: None,
            buffer: vec![0; READ_BUFFER_BYTES],
        })
    }

    /// Opens the connections and tells the owner how that went.
    pub(crate) fn connect_all(&mut self) -> bool {
        let mut events = Events::with_capacity(1_024);
        self.start = Instant::now();
        let count: usize = self.options.targets.iter().map(|target| target.connections).sum();
        let each = CONNECT_TIMEOUT_EACH.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        let until = CONNECT_TIMEOUT.saturating_add(each).as_nanos() as u64;
        loop {
            let now = since(self.start);
            self.open_due(now);
            self.retire_old(now);
            // The first refusal of an address where nobody listens is enough to know.
            let refused = self.pools.iter().any(|pool| pool.up == 0 && pool.error.is_some());
            if refused || now >= until || self.pools.iter().all(Pool::is_complete) {
                break;
            }
            if self.turn(&mut events, now + 10_000_000).is_err() {
                break;
            }
        }
        let down = self.pools.iter().position(|pool| pool.up == 0);
        let ready = down.map_or(Ok(()), |target| {
            let (cause, tls) = match self.pools[target].error.take() {
                Some(error) => (error.cause, error.tls),
                None => ("no answer in time".into(), false),
            };
            Err(Refusal { target, cause, tls })
        });
        let up = ready.is_ok();
        self.sender.send(Message::Ready(ready)).is_ok() && up
    }

    /// Runs to the end and sends the tally.
    pub(crate) fn run(&mut self, start: Instant) {
        self.start = start;
        // What was noted before the start was noted by another clock.
        self.alarm_at_ns = 0;
        self.pools.iter_mut().for_each(Pool::reset_clock);
        self.lives.clear();
        for index in 0..self.slots.len() {
            self.give_time(index, 0);
        }
        let end = self.options.whole().as_nanos() as u64;
        let mut events = Events::with_capacity(1_024);
        loop {
            let now = since(self.start);
            self.roll(now);
            if self.sending {
                self.take_up(now, end);
                self.retire_old(now);
                self.open_due(now);
                if !self.may_send(now, end) {
                    self.end_sending();
                }
            }
            self.send_waiting(now);
            self.flush_dirty();
            self.expire(now);
            let waiting: usize = self.pools.iter().map(|pool| pool.waiting.len()).sum();
            if !self.sending && waiting == 0 && self.flights.len() == 0 {
                break;
            }
            let due =
                if self.sending { self.next_due.min(self.later.next_due()) } else { u64::MAX };
            if self.turn(&mut events, due.min(now + TURN_NS_MAX)).is_err() {
                break;
            }
        }
        self.read_gauges();
        self.close_all();
        self.report();
    }

    /// Whether requests may still come: by the schedule, by the closed loop, or after an answer.
    fn may_send(&self, now: u64, end: u64) -> bool {
        if self.stop.load(Ordering::Acquire) {
            return false;
        }
        // What was due before the end is sent even if this thread comes to it late.
        let follows = || {
            self.later.next_due() < end
                || self.flights.len() > 0
                || self.pools.iter().any(|pool| !pool.waiting.is_empty())
        };
        self.next_due < end || (now < end && (self.clients_max > 0 || follows()))
    }

    /// What would follow is given up; what is due and not yet sent still goes out.
    fn end_sending(&mut self) {
        self.sending = false;
        for later in self.later.drain() {
            if let Later::Follow(key) = later {
                self.workload.abandon(key);
            }
        }
    }

    fn report(&mut self) {
        self.read_cpu(u64::MAX);
        let classes = self.options.classes.len();
        let last = std::mem::replace(&mut self.slice, Slice::new(u64::MAX, classes));
        let tally = std::mem::replace(&mut self.tally, Tally::new(classes, 0..0));
        // An owner that is gone wants neither.
        let _gone = self.sender.send(Message::Second(Box::new(last)));
        let _gone = self.sender.send(Message::Done(Box::new(tally)));
    }

    /// Waits for events, at most until `wake_ns`, and handles them.
    fn turn(&mut self, events: &mut Events, wake_ns: u64) -> io::Result<()> {
        let now = since(self.start);
        let timeout = if wake_ns <= now {
            Some(Duration::ZERO)
        } else {
            // An alarm that goes off a little early does no harm and saves a system call.
            if self.alarm_at_ns <= now || self.alarm_at_ns > wake_ns {
                self.alarm.set(Duration::from_nanos(wake_ns - now))?;
                self.alarm_at_ns = wake_ns;
            }
            None
        };
        match self.poll.poll(events, timeout) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &*events {
            if event.token() == ALARM {
                self.alarm_at_ns = 0;
            } else {
                let ended = event.is_read_closed() || event.is_error();
                self.on_ready(event.token().0, event.is_readable(), ended);
            }
        }
        self.flush_dirty();
        Ok(())
    }

    /// Hands over the seconds of the measured part that are over.
    fn roll(&mut self, now: u64) {
        self.read_cpu(now);
        let measured = now.saturating_sub(self.tally.window.start);
        while measured >= (self.slice.second + 1) * SECOND_NS {
            self.read_gauges();
            let next = Slice::new(self.slice.second + 1, self.options.classes.len());
            let done = std::mem::replace(&mut self.slice, next);
            // An owner that is gone does not want it.
            let _gone = self.sender.send(Message::Second(Box::new(done)));
        }
    }

    fn read_gauges(&mut self) {
        self.slice.in_flight = self.flights.len() as u64;
        self.slice.waiting = self.pools.iter().map(|pool| pool.waiting.len() as u64).sum();
        self.slice.connections = self.pools.iter().map(|pool| pool.up as u64).sum();
    }

    /// Notes the CPU time at both ends of the measured part.
    fn read_cpu(&mut self, now: u64) {
        if now < self.tally.window.start || self.tally.cpu_ns > 0 {
            return;
        }
        match self.cpu_begun {
            None => self.cpu_begun = Some(thread_cpu_time()),
            Some(begun) if now >= self.tally.window.end => {
                let used = thread_cpu_time().saturating_sub(begun);
                self.tally.cpu_ns = used.as_nanos() as u64;
                self.tally.cpu_ns_max = self.tally.cpu_ns;
            }
            Some(_) => {}
        }
    }

    /// Sends what is due, or puts it where it waits for a stream.
    fn take_up(&mut self, now: u64, end: u64) {
        while let Some((due, later)) = self.later.take_due(now) {
            match later {
                Later::Ready => self.clients -= 1,
                Later::Follow(key) => self.arrive(due, Cause::Follow(key), now),
            }
        }
        while self.next_due <= now && self.next_due < end {
            let due = self.next_due;
            self.next_due = self.times.as_mut().and_then(Iterator::next).unwrap_or(u64::MAX);
            self.arrive_new(due, now);
        }
        while now < end && self.clients < self.clients_max {
            self.clients += 1;
            self.arrive_new(now, now);
        }
    }

    fn arrive_new(&mut self, intended: u64, now: u64) {
        let number = self.taken * self.parts as u64 + self.part as u64;
        self.taken += 1;
        self.arrive(intended, Cause::Arrival(number), now);
    }

    fn arrive(&mut self, intended_ns: u64, cause: Cause, now: u64) {
        self.tally.on_scheduled(intended_ns, now, &mut self.slice);
        self.dispatch(Pending { intended_ns, cause, attempt: 0, class: 0 }, now);
    }

    /// Fails what has waited too long, sent or not.
    fn expire(&mut self, now: u64) {
        while let Some(index) = self.flights.next_expired(now) {
            self.give_up(index);
        }
        let Some(before) = now.checked_sub(self.options.timeout.as_nanos() as u64) else { return };
        for target in 0..self.pools.len() {
            while let Some(pending) = self.pools[target].take_overdue(before) {
                let outcome = self.pools[target].outcome_of_waiting();
                self.fail_waiting(&pending, outcome, now);
            }
        }
    }
}
