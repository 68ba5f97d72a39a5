//! The packet box: a thread that moves packets between the two devices of a link.
//!
//! Nothing is allocated for a packet, and nobody is waited for: commands come through a bounded
//! channel and are answered without blocking. Faults expire here, so that they end whatever became of
//! the rest of the lab; when the thread ends the devices are closed, and the link is gone.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use bulkhead_chaos::{
    Arrival, Effect, Impairment, Lane, LaneCounts, PacketKind, Reply, StageKey, StageReport,
};
use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};

use super::device::Device;
use super::dns::{Query, StreamQuery};
use super::packets::Packets;
use super::probe::is_probe;
use super::reply::{Datagram, MadePacket};
use super::reset::Segment;
use super::timer::Timer;

/// Commands that may wait for the box.
pub(super) const COMMANDS_MAX: usize = 64;
/// Packets that are read before others are released.
const BATCH: usize = 64;
/// Latest release that is told apart from later ones.
const LATENESS_MAX: Duration = Duration::from_secs(10);

const TIMER: Token = Token(2);
const WAKER: Token = Token(3);

/// What the box is told.
#[derive(Debug)]
pub(super) enum Command {
    /// A fault, in the lanes for which it is given. One that is there already stays as it is.
    Impose {
        key: StageKey,
        /// Upstream, downstream.
        impairments: [Option<Impairment>; 2],
        seeds: [u64; 2],
        expires: Instant,
        reply: SyncSender<Result<(), CommandError>>,
    },
    /// Another end for a fault that is in force.
    Renew {
        key: StageKey,
        expires: Instant,
        reply: SyncSender<Result<(), CommandError>>,
    },
    Lift {
        key: StageKey,
        reply: SyncSender<Result<(), CommandError>>,
    },
    Report {
        reply: SyncSender<LinkReport>,
    },
    /// What a fault has done, in force or ended.
    Effect {
        key: StageKey,
        reply: SyncSender<Option<Effect>>,
    },
    Stop,
}

/// Why the box did not do as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// See [`bulkhead_chaos::STAGES_MAX`].
    #[error(transparent)]
    TooManyFaults(#[from] bulkhead_chaos::TooManyFaults),
    /// Too many commands wait already.
    #[error("{COMMANDS_MAX} commands wait for the packet box already")]
    Busy,
    /// It did not answer before the deadline.
    #[error("the packet box did not answer before the deadline")]
    Late,
    /// Its time was over before it was renewed, or it was taken back.
    #[error("the link does not have this fault any more")]
    NoSuchFault,
    /// It ended, and the link with it.
    #[error("the packet box has ended, and its link is gone")]
    Gone,
}

/// What a link did since it began.
#[derive(Clone, Debug)]
pub struct LinkReport {
    /// From the client's end to the server's.
    pub upstream: LaneReport,
    /// From the server's end to the client's.
    pub downstream: LaneReport,
    /// User and system time of the box's thread.
    pub cpu: Duration,
    /// Whether the box runs before ordinary threads; without that right a busy machine makes it late.
    pub real_time: bool,
    /// How late packets left that had to wait for their time, in nanoseconds.
    pub lateness: Histogram<u64>,
}

/// What one direction of a link did since it began.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneReport {
    /// Packets.
    pub counts: LaneCounts,
    /// Faults in force.
    pub faults: Vec<StageReport>,
    /// Packets that wait.
    pub held: usize,
    /// Packets that the kernel did not take at the far end.
    pub refused: u64,
}

/// The two ends are numbers: 0 the client's, 1 the server's. Lane 0 is upstream, from end 0 to end 1.
pub(super) struct Mover {
    poll: Poll,
    timer: Timer,
    devices: [Device; 2],
    readable: [bool; 2],
    lanes: [Lane; 2],
    refused: [u64; 2],
    packets: Packets,
    commands: Receiver<Command>,
    began: Instant,
    lateness: Histogram<u64>,
    real_time: bool,
}

impl Mover {
    /// Takes the devices and all memory. Give the waker to whoever sends commands.
    pub(super) fn new(
        devices: [Device; 2],
        commands: Receiver<Command>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        for (end, device) in devices.iter().enumerate() {
            let token = Token(end);
            poll.registry().register(
                &mut SourceFd(&device.as_raw_fd()),
                token,
                Interest::READABLE,
            )?;
        }
        let timer = Timer::new(poll.registry(), TIMER)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let highest = LATENESS_MAX.as_nanos() as u64;
        let lateness = Histogram::new_with_bounds(1, highest, 3).map_err(io::Error::other)?;
        let mover = Self {
            poll,
            timer,
            devices,
            // Packets may be there already.
            readable: [true; 2],
            lanes: [Lane::new(), Lane::new()],
            refused: [0; 2],
            packets: Packets::new(),
            commands,
            began: Instant::now(),
            lateness,
            real_time: false,
        };
        Ok((mover, waker))
    }

    /// Moves packets until it is told to stop.
    pub(super) fn run(mut self) -> io::Result<()> {
        // Timers of this thread go off when they are due, not up to 50 µs later.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        self.real_time = bulkhead_transport::run_in_real_time().is_ok();
        let mut events = Events::with_capacity(8);
        loop {
            let wait = self.readable.contains(&true).then_some(Duration::ZERO);
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let mut commanded = false;
            for event in &events {
                match event.token() {
                    TIMER => self.timer.clear(),
                    WAKER => commanded = true,
                    Token(end) => self.readable[end] = true,
                }
            }
            for lane in 0..2 {
                let now = self.began.elapsed();
                self.lanes[lane].expire(now);
                self.take(lane);
                self.release(lane);
            }
            // After the packets, so that a report knows of those that were there before it was asked for.
            if commanded {
                if !self.obey() {
                    return Ok(());
                }
                // What a fault held that was taken back leaves now, not when it would have.
                (0..2).for_each(|lane| self.release(lane));
            }
            self.set_timer()?;
        }
    }

    fn set_timer(&mut self) -> io::Result<()> {
        let next = self.lanes.iter().filter_map(Lane::next_event).min();
        match next {
            Some(due) => self.timer.set(due, self.began.elapsed()),
            None => Ok(()),
        }
    }

    /// Reads packets of a lane, as many as a turn may.
    fn take(&mut self, lane: usize) {
        if !self.readable[lane] {
            return;
        }
        for _ in 0..BATCH {
            // Places are as many as packets may be held: there is always one.
            let Some((place, bytes)) = self.packets.next() else { return };
            match self.devices[lane].read(bytes) {
                Ok(0) => {
                    self.readable[lane] = false;
                    return;
                }
                Ok(length) => self.admit(lane, place, length),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    // Empty, or the device is down: an event will tell when it has packets again.
                    self.readable[lane] = false;
                    return;
                }
            }
        }
    }

    fn admit(&mut self, lane: usize, place: u32, length: usize) {
        let packet = &self.packets.at(place)[..length];
        // What is in a packet matters to few faults; without any, nobody looks.
        let (content, is_probe) = if self.lanes[lane].is_free() {
            (Content::Other, false)
        } else {
            (Content::of(packet), is_probe(packet))
        };
        let now = self.began.elapsed();
        let arrival = Arrival { length, slot: place, kind: content.kind(), is_probe };
        let pushed = self.lanes[lane].admit(now, arrival);
        match (pushed.reply, content) {
            (Some(Reply::Reset), Content::Segment(segment) | Content::StreamQuery(segment, _)) => {
                let (receiver, sender) = (segment.reset_receiver(), segment.reset_sender());
                self.reply(lane, receiver, 1 - lane);
                self.reply(lane, sender, lane);
            }
            (Some(Reply::Dns { code }), Content::Query(query)) => {
                let answer = query.answer(code);
                self.reply(lane, answer, lane);
            }
            (Some(Reply::Dns { code }), Content::StreamQuery(segment, query)) => {
                let (receiver, answer) = (segment.reset_receiver(), query.answer(code));
                self.reply(lane, receiver, 1 - lane);
                self.reply(lane, answer, lane);
            }
            _ => {}
        }
        self.packets.keep(place, pushed.copies);
    }

    /// Sends a packet of the box's own to an end. No fault strikes it: it stands for one that was struck.
    fn reply(&mut self, lane: usize, packet: Option<MadePacket>, end: usize) {
        let Some(packet) = packet else { return };
        if self.devices[end].write(packet.bytes()).is_err() {
            self.refused[lane] += 1;
        }
    }

    /// Sends the packets of a lane whose time has come.
    fn release(&mut self, lane: usize) {
        let free = self.lanes[lane].is_free();
        let mut now = self.began.elapsed();
        while let Some(released) = self.lanes[lane].pop(now) {
            let packet = &mut self.packets.at(released.slot)[..released.length];
            turn(packet, released.flip);
            if self.devices[1 - lane].write(packet).is_err() {
                self.refused[lane] += 1;
            }
            // Copies share their bytes.
            turn(packet, released.flip);
            self.packets.sent(released.slot);
            now = self.began.elapsed();
            if !free {
                let late = now.saturating_sub(released.due);
                self.lateness.saturating_record(late.as_nanos() as u64);
            }
        }
    }

    /// Does what was commanded; false when it is to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Impose { key, impairments, seeds, expires, reply }) => {
                    let done = self.impose(key, impairments, seeds, expires);
                    let _ = reply.try_send(done);
                }
                Ok(Command::Renew { key, expires, reply }) => {
                    let _ = reply.try_send(self.renew(key, expires));
                }
                Ok(Command::Lift { key, reply }) => {
                    self.lanes.iter_mut().for_each(|lane| lane.remove(key));
                    let _ = reply.try_send(Ok(()));
                }
                Ok(Command::Report { reply }) => {
                    let _ = reply.try_send(self.report());
                }
                Ok(Command::Effect { key, reply }) => {
                    let effects = self.lanes.iter().filter_map(|lane| lane.effect(key));
                    let _ = reply.try_send(effects.reduce(Effect::plus));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn impose(
        &mut self,
        key: StageKey,
        impairments: [Option<Impairment>; 2],
        seeds: [u64; 2],
        expires: Instant,
    ) -> Result<(), CommandError> {
        let expires = expires.saturating_duration_since(self.began);
        for (lane, (impairment, seed)) in
            self.lanes.iter_mut().zip(impairments.into_iter().zip(seeds))
        {
            let Some(impairment) = impairment else { continue };
            if lane.stages().any(|stage| stage.key == key) {
                continue;
            }
            if let Err(error) = lane.add(key, &impairment, seed, expires) {
                self.lanes.iter_mut().for_each(|lane| lane.remove(key));
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// What expired meanwhile is not brought back: it would draw from the beginning again.
    fn renew(&mut self, key: StageKey, expires: Instant) -> Result<(), CommandError> {
        let now = self.began.elapsed();
        let expires = expires.saturating_duration_since(self.began);
        let mut found = false;
        for lane in &mut self.lanes {
            lane.expire(now);
            found |= lane.renew(key, expires);
        }
        if found { Ok(()) } else { Err(CommandError::NoSuchFault) }
    }

    fn report(&self) -> LinkReport {
        let lane = |number: usize| LaneReport {
            counts: self.lanes[number].counts(),
            faults: self.lanes[number].stages().collect(),
            held: self.lanes[number].held(),
            refused: self.refused[number],
        };
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        LinkReport {
            upstream: lane(0),
            downstream: lane(1),
            cpu: Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs() as u32),
            real_time: self.real_time,
            lateness: self.lateness.clone(),
        }
    }
}

/// What a packet holds, as far as faults ask for it.
enum Content<'a> {
    Segment(Segment<'a>),
    Query(Query<'a>),
    StreamQuery(Segment<'a>, StreamQuery<'a>),
    Other,
}

impl<'a> Content<'a> {
    fn of(packet: &'a [u8]) -> Self {
        let Some(datagram) = Datagram::parse(packet) else { return Self::Other };
        match Segment::parse(datagram) {
            Some(segment) => match StreamQuery::parse(segment) {
                Some(query) => Self::StreamQuery(segment, query),
                None => Self::Segment(segment),
            },
            None => Query::parse(datagram).map_or(Self::Other, Self::Query),
        }
    }

    fn kind(&self) -> PacketKind {
        match self {
            Self::Segment(segment) => PacketKind::Tcp(segment.describe(false)),
            Self::StreamQuery(segment, _) => PacketKind::Tcp(segment.describe(true)),
            Self::Query(_) => PacketKind::DnsQuery,
            Self::Other => PacketKind::Other,
        }
    }
}

fn turn(packet: &mut [u8], flip: Option<u32>) {
    if let Some(bit) = flip
        && let Some(byte) = packet.get_mut(bit as usize / 8)
    {
        *byte ^= 0x80 >> (bit % 8);
    }
}
