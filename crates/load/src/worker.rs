//! A generator thread: takes up what is due, sends it, and turns until all is answered.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bulkhead_codec::Heads;
use mio::{Events, Poll, Token};

use crate::clock::{Alarm, since, thread_cpu_time};
use crate::engine::{Arrivals, LoadOptions, Message};
use crate::flight::Flights;
use crate::outcome::Outcome;
use crate::schedule::{Random, Times};
use crate::tally::{Slice, Tally};
use crate::workload::{Request, Workload};

mod answers;
mod connections;
mod send;

use connections::Slot;

const ALARM: Token = Token(usize::MAX);
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Time for the connections to come up before the run.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait of a turn: time-outs and reconnects are looked at so often.
const TURN_NS_MAX: u64 = 20_000_000;
/// One second.
const SECOND_NS: u64 = 1_000_000_000;

/// State of one thread.
pub(crate) struct Worker {
    options: Arc<LoadOptions>,
    number: usize,
    workload: Box<dyn Workload>,
    stop: Arc<AtomicBool>,
    sender: SyncSender<Message>,
    poll: Poll,
    alarm: Alarm,
    start: Instant,
    slots: Vec<Slot>,
    /// Slots whose connection takes requests or will; `cursor` is where the next one goes.
    pool: Vec<usize>,
    cursor: usize,
    /// Slots without a connection that wait to try again.
    waiting: usize,
    /// When to look for connections that have had their life.
    next_look_ns: u64,
    /// Decides how long each connection lives.
    random: Random,
    /// Why the last attempt to connect failed.
    connect_error: Option<String>,
    dirty: Vec<usize>,
    flights: Flights,
    /// Requests that wait for a free stream: intended time and number.
    queue: VecDeque<(u64, u64)>,
    times: Option<Times>,
    next_due: u64,
    /// Requests of this thread so far.
    taken: u64,
    /// Requests of this thread that may be in flight, in a closed loop.
    in_flight_max: usize,
    request: Request,
    heads: Heads,
    tally: Tally,
    slice: Slice,
    buffer: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(
        options: Arc<LoadOptions>,
        number: usize,
        workload: Box<dyn Workload>,
        stop: Arc<AtomicBool>,
        sender: SyncSender<Message>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let classes = options.classes.len();
        let threads = options.threads.max(1);
        let mut times = None;
        let mut in_flight_max = 0;
        match &options.arrivals {
            Arrivals::Open(schedule) => times = Some(schedule.times(number, threads)),
            Arrivals::Closed { in_flight } => in_flight_max = in_flight.div_ceil(threads),
        }
        let next_due = times.as_mut().and_then(Iterator::next).unwrap_or(u64::MAX);
        let connections = options.connections.div_ceil(threads).max(1);
        Ok(Self {
            options,
            number,
            workload,
            stop,
            sender,
            poll,
            alarm,
            start: Instant::now(),
            slots: (0..connections).map(|_| Slot::default()).collect(),
            pool: (0..connections).collect(),
            cursor: 0,
            waiting: connections,
            connect_error: None,
            next_look_ns: 0,
            random: Random::new(number as u64),
            dirty: Vec::new(),
            flights: Flights::default(),
            queue: VecDeque::new(),
            times,
            next_due,
            taken: 0,
            in_flight_max,
            request: Request::default(),
            heads: Heads::default(),
            tally: Tally::new(classes),
            slice: Slice::new(0, classes),
            buffer: vec![0; READ_BUFFER_BYTES],
        })
    }

    /// Opens the connections and tells the owner how that went.
    pub(crate) fn connect_all(&mut self) -> bool {
        let mut events = Events::with_capacity(1_024);
        self.start = Instant::now();
        let until = CONNECT_TIMEOUT.as_nanos() as u64;
        loop {
            let now = since(self.start);
            let failed = self.tally.connects_failed;
            self.open_due(now);
            let up = self.count_up();
            // The first refusal of an address where nobody listens is enough to know.
            if up == self.pool.len() || now >= until || (up == 0 && failed > 0) {
                break;
            }
            if self.turn(&mut events, now + 10_000_000).is_err() {
                break;
            }
        }
        let ready = if self.count_up() > 0 {
            Ok(())
        } else {
            Err(self.connect_error.take().unwrap_or_else(|| "no answer within 5 s".into()))
        };
        let up = ready.is_ok();
        self.sender.send(Message::Ready(ready)).is_ok() && up
    }

    /// Runs to the end and sends the tally.
    pub(crate) fn run(&mut self, start: Instant) {
        self.start = start;
        // What was noted before the start was noted by another clock.
        for index in 0..self.slots.len() {
            self.slots[index].retry_at_ns = 0;
            self.give_life(index, 0);
        }
        let end = self.options.duration.as_nanos() as u64;
        let mut events = Events::with_capacity(1_024);
        let mut sending = true;
        loop {
            let now = since(self.start);
            // What was due before the end is sent even if this thread comes to it late.
            let due_is_left = self.next_due < end || (self.in_flight_max > 0 && now < end);
            sending = sending && due_is_left && !self.stop.load(Ordering::Acquire);
            self.roll(now);
            if sending {
                self.take_up(now, end);
                self.retire_old(now);
                self.open_due(now);
            }
            self.send_queued(now);
            self.flush_dirty();
            self.expire(now);
            if !sending && self.queue.is_empty() && self.flights.len() == 0 {
                break;
            }
            let due = if sending { self.next_due } else { u64::MAX };
            if self.turn(&mut events, due.min(now + TURN_NS_MAX)).is_err() {
                break;
            }
        }
        self.close_all();
        self.tally.cpu_ns = thread_cpu_time().as_nanos() as u64;
        let classes = self.options.classes.len();
        let last = std::mem::replace(&mut self.slice, Slice::new(u64::MAX, classes));
        let tally = std::mem::replace(&mut self.tally, Tally::new(classes));
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
            self.alarm.set(Duration::from_nanos(wake_ns - now))?;
            None
        };
        match self.poll.poll(events, timeout) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &*events {
            if event.token() != ALARM {
                let ended = event.is_read_closed() || event.is_error();
                self.on_ready(event.token().0, event.is_readable(), ended);
            }
        }
        self.flush_dirty();
        Ok(())
    }

    /// Hands over the seconds that are over.
    fn roll(&mut self, now: u64) {
        while now >= (self.slice.second + 1) * SECOND_NS {
            let next = Slice::new(self.slice.second + 1, self.options.classes.len());
            let done = std::mem::replace(&mut self.slice, next);
            // An owner that is gone does not want it.
            let _gone = self.sender.send(Message::Second(Box::new(done)));
        }
    }

    /// Puts what is due into the queue.
    fn take_up(&mut self, now: u64, end: u64) {
        while self.next_due <= now && self.next_due < end {
            let due = self.next_due;
            self.enqueue(due, now);
            self.next_due = self.times.as_mut().and_then(Iterator::next).unwrap_or(u64::MAX);
        }
        while now < end && self.flights.len() + self.queue.len() < self.in_flight_max {
            self.enqueue(now, now);
        }
    }

    fn enqueue(&mut self, intended: u64, now: u64) {
        let threads = self.options.threads.max(1) as u64;
        let number = self.taken * threads + self.number as u64;
        self.taken += 1;
        self.queue.push_back((intended, number));
        self.tally.on_scheduled(intended, now, &mut self.slice);
    }

    /// Fails what has waited too long, sent or not.
    fn expire(&mut self, now: u64) {
        let timeout = self.options.timeout.as_nanos() as u64;
        while let Some(index) = self.flights.next_expired(now) {
            self.give_up(index);
        }
        while let Some(&(intended, number)) = self.queue.front() {
            if intended + timeout > now {
                return;
            }
            self.queue.pop_front();
            self.request.clear();
            self.workload.prepare(number, &mut self.request);
            let up = self.count_up() > 0;
            let outcome = if up { Outcome::Unsent } else { Outcome::Connect };
            let detail = || "no free stream within the time-out".to_owned();
            self.tally.on_failed(self.request.class, outcome, now, detail, &mut self.slice);
        }
    }
}
