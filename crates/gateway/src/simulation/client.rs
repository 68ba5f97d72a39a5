//! A client: sends requests whose answers it knows, and checks every byte.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bulkhead_codec::{Codec, ErrorCode, Event, Heads, Role, Tag, http1, http2};
use bulkhead_message::{BodyLength, RequestHead, Scheme};
use bulkhead_upstream::Rng;

use super::drip::{Drip, Input};
use super::link::Link;
use super::pattern;

/// What a request asks for. The path says it all, so that the upstream needs to know nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) id: u64,
    pub(super) post: bool,
    /// Bytes of the request's body.
    pub(super) upload: usize,
    /// Bytes of the answer's body.
    pub(super) download: usize,
    /// How long the upstream takes.
    pub(super) wait: Duration,
    /// Which cluster.
    pub(super) http2: bool,
}

impl Ask {
    pub(super) fn draw(id: u64, random: &mut Rng) -> Self {
        let size = |random: &mut Rng| match random.below(12) {
            0 => 60_000 + random.below(600_000) as usize,
            1..=7 => random.below(2_000) as usize,
            _ => random.below(20_000) as usize,
        };
        let post = random.below(3) == 0;
        let upload = if post { size(random) } else { 0 };
        let wait = Duration::from_millis(random.below(40));
        Self { id, post, upload, download: size(random), wait, http2: random.below(2) == 0 }
    }

    fn head(&self) -> RequestHead {
        let mut head = RequestHead::new();
        head.set_method(if self.post { b"POST" } else { b"GET" });
        head.scheme = Scheme::Http;
        head.set_authority(b"simulated");
        let cluster = if self.http2 { "two" } else { "one" };
        let (id, download, wait) = (self.id, self.download, self.wait.as_millis());
        head.set_target(format!("/{cluster}/{id}/{download}/{wait}").as_bytes());
        if self.upload > 0 {
            head.body = BodyLength::Known(self.upload as u64);
        }
        head
    }
}

/// How requests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    /// With the right answer, to the last byte.
    pub(super) right: u64,
    /// With a status of 500 or more.
    pub(super) failed: u64,
    /// With a reset, or a connection that ended before the answer did.
    pub(super) broken: u64,
    /// Given up by the client.
    pub(super) left: u64,
}

/// A request in flight.
#[derive(Debug)]
struct Flight {
    ask: Ask,
    stream: u32,
    sent: usize,
    status: u16,
    got: usize,
}

impl Flight {
    /// Sends what there is room for of the request's body.
    fn upload(&mut self, codec: &mut Codec, out: &mut Vec<u8>) {
        let body = (!self.ask.id, self.sent, self.ask.upload);
        self.sent = pattern::send(codec, self.stream, body, out);
    }
}

/// A client with one connection at a time.
#[derive(Debug)]
pub(super) struct Client {
    address: std::os::unix::net::SocketAddr,
    http2: bool,
    link: Link,
    connection: Option<(Drip, Codec)>,
    out: Vec<u8>,
    input: Vec<u8>,
    flights: BTreeMap<Tag, Flight>,
    next_tag: Tag,
    /// When it wants to send its next request.
    pub(super) due: Duration,
    pub(super) ends: Ends,
}

impl Client {
    pub(super) fn new(
        address: std::os::unix::net::SocketAddr,
        http2: bool,
        latency: Duration,
    ) -> Self {
        Self {
            address,
            http2,
            link: Link::new(latency, true),
            connection: None,
            out: Vec::new(),
            input: Vec::new(),
            flights: BTreeMap::new(),
            next_tag: 1,
            due: Duration::ZERO,
            ends: Ends::default(),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    fn connect(&mut self, now: Duration, random: &mut Rng) {
        let socket = UnixStream::connect_addr(&self.address).unwrap();
        let mut codec = match self.http2 {
            true => Codec::Http2(Box::new(http2::Connection::new(
                Role::Client,
                &super::settings(random),
            ))),
            false => Codec::Http1(Box::new(http1::Connection::new(
                Role::Client,
                &http1::Settings::default(),
            ))),
        };
        self.out.clear();
        self.input.clear();
        codec.start(&mut self.out);
        self.connection = Some((self.link.carry(now, socket, random), codec));
    }

    /// Sends a request, if the connection has room for it.
    pub(super) fn ask(&mut self, now: Duration, ask: Ask, random: &mut Rng) -> bool {
        if self.connection.is_none() {
            self.connect(now, random);
        }
        let Some((_, codec)) = &mut self.connection else { return false };
        let tag = self.next_tag;
        let end = ask.upload == 0;
        if codec.available_streams() == 0 {
            return false;
        }
        let Ok(stream) = codec.open(&ask.head(), end, tag, &mut self.out) else { return false };
        self.next_tag += 1;
        self.flights.insert(tag, Flight { ask, stream, sent: 0, status: 0, got: 0 });
        self.upload(tag);
        true
    }

    fn upload(&mut self, tag: Tag) {
        let Some((_, codec)) = &mut self.connection else { return };
        let Some(flight) = self.flights.get_mut(&tag) else { return };
        flight.upload(codec, &mut self.out);
    }

    /// Moves bytes both ways. True: something happened.
    pub(super) fn step(&mut self, now: Duration, random: &mut Rng) -> bool {
        let Some((drip, codec)) = &mut self.connection else { return false };
        while let Some((_, tag)) = codec.next_writable() {
            let Some(flight) = self.flights.get_mut(&tag) else { continue };
            flight.upload(codec, &mut self.out);
        }
        drip.send(now, &mut self.out, random);
        let alive = drip.deliver(now);
        let mut buffer = [0; 16 * 1024];
        match drip.read(now, &mut buffer, random) {
            Input::Bytes(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                self.decode(false);
                true
            }
            Input::Ended => {
                self.decode(true);
                self.lose();
                true
            }
            Input::Nothing => {
                if !alive {
                    self.lose();
                }
                !alive
            }
        }
    }

    fn decode(&mut self, ended: bool) {
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        let mut heads = Heads::default();
        loop {
            let Some((_, codec)) = &mut self.connection else { return };
            match codec.next_event(&mut rest, &mut heads, &mut self.out) {
                Ok(Some(event)) => self.on_event(&event, &heads),
                Ok(None) => break,
                Err(error) => panic!("the gateway broke the protocol: {error}"),
            }
        }
        self.input = rest.to_vec();
        if ended {
            let rest = std::mem::take(&mut self.input);
            while let Some((_, codec)) = &mut self.connection
                && let Ok(Some(event)) = codec.end_of_input(&rest)
            {
                self.on_event(&event, &heads);
            }
        }
        let over = |codec: &Codec| codec.must_close() && codec.active_streams() == 0;
        if self.connection.as_ref().is_some_and(|(_, codec)| over(codec)) {
            self.lose();
        }
    }

    fn on_event(&mut self, event: &Event<'_>, heads: &Heads) {
        match *event {
            Event::Response { tag, end, .. } if !heads.response.is_interim() => {
                let Some(flight) = self.flights.get_mut(&tag) else { return };
                flight.status = heads.response.status;
                if flight.status == 200 {
                    let named = heads.response.fields.get_named(b"x-id");
                    let expected = flight.ask.id.to_string();
                    assert_eq!(named, Some(expected.as_bytes()), "an answer to somebody else");
                }
                if end {
                    self.finished(tag);
                }
            }
            Event::Data { stream, tag, bytes, flow_bytes, end } => {
                if let Some((_, codec)) = &mut self.connection {
                    codec.release(stream, flow_bytes, &mut self.out);
                }
                let Some(flight) = self.flights.get_mut(&tag) else { return };
                if flight.status == 200 {
                    let (id, at) = (flight.ask.id, flight.got);
                    assert!(pattern::matches(id, at, bytes), "wrong bytes in the answer to {id}");
                }
                flight.got += bytes.len();
                if end {
                    self.finished(tag);
                }
            }
            Event::Trailers { tag, .. } => self.finished(tag),
            Event::Reset { tag, .. } => {
                self.ends.broken += u64::from(self.flights.remove(&tag).is_some());
            }
            _ => {}
        }
    }

    /// An answer ended as if it were whole: then it has to be.
    fn finished(&mut self, tag: Tag) {
        let Some(flight) = self.flights.remove(&tag) else { return };
        match flight.status {
            200 => {
                let (id, expected) = (flight.ask.id, flight.ask.download);
                assert_eq!(flight.got, expected, "the answer to {id} is cut short and whole");
                self.ends.right += 1;
            }
            status if status >= 500 => self.ends.failed += 1,
            status => panic!("status {status} for request {}", flight.ask.id),
        }
    }

    /// The connection is gone.
    fn lose(&mut self) {
        self.connection = None;
        self.ends.broken += std::mem::take(&mut self.flights).len() as u64;
    }

    /// Closes the connection with all that is in flight on it.
    pub(super) fn leave(&mut self) {
        self.connection = None;
        self.ends.left += std::mem::take(&mut self.flights).len() as u64;
    }

    /// Its link, and what is on it.
    pub(super) fn link(&mut self) -> (&mut Link, impl Iterator<Item = &mut Drip>) {
        (&mut self.link, self.connection.iter_mut().map(|(drip, _)| drip))
    }

    /// Gives up a request, if there is one.
    pub(super) fn give_up_one(&mut self) {
        let Some((_, codec)) = &mut self.connection else { return };
        let Some((_, flight)) = self.flights.pop_first() else { return };
        self.ends.left += 1;
        codec.reset(flight.stream, ErrorCode::CANCEL, &mut self.out);
        if !self.http2 {
            // HTTP/1.1 has no other word for it.
            self.leave();
        }
    }

    /// When something happens next without anybody doing anything.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        self.connection.as_ref().and_then(|(drip, _)| drip.next(now))
    }
}
