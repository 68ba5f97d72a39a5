//! An upstream: answers what the path asks for, checks every byte of every body, and counts how often
//! it was asked.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use bulkhead_codec::{Codec, Event, Heads, Role, StreamId, http1, http2};
use bulkhead_message::{BodyLength, Method, RequestHead, ResponseHead};
use bulkhead_upstream::Rng;

use super::drip::{Drip, Input};
use super::link::Link;
use super::pattern;

/// A request that is being served.
#[derive(Debug)]
struct Serving {
    id: u64,
    upload: Option<usize>,
    got: usize,
    whole: bool,
    download: usize,
    sent: usize,
    answers: Duration,
    begun: bool,
}

#[derive(Debug)]
struct Connection {
    drip: Drip,
    codec: Codec,
    out: Vec<u8>,
    input: Vec<u8>,
    streams: BTreeMap<StreamId, Serving>,
}

/// A listener and its connections.
#[derive(Debug)]
pub(super) struct Upstream {
    listener: UnixListener,
    http2: bool,
    link: Link,
    connections: Vec<Connection>,
    /// It does nothing until then.
    pub(super) stalled_until: Duration,
    /// How often the body of each request that must not be repeated came in whole or in part.
    posts: BTreeMap<u64, u32>,
}

impl Upstream {
    pub(super) fn new(listener: UnixListener, http2: bool, latency: Duration) -> Self {
        listener.set_nonblocking(true).unwrap();
        let (connections, posts) = (Vec::new(), BTreeMap::new());
        let link = Link::new(latency, false);
        Self { listener, http2, link, connections, stalled_until: Duration::ZERO, posts }
    }

    /// Closes one of the connections, whatever is on it.
    pub(super) fn drop_one(&mut self, random: &mut Rng) {
        if !self.connections.is_empty() {
            let index = random.below(self.connections.len() as u64) as usize;
            self.connections.remove(index);
        }
    }

    /// Its link, and what is on it.
    pub(super) fn link(&mut self) -> (&mut Link, impl Iterator<Item = &mut Drip>) {
        (&mut self.link, self.connections.iter_mut().map(|connection| &mut connection.drip))
    }

    /// How often a request that must not be repeated came at most.
    pub(super) fn repeats_max(&self) -> u32 {
        self.posts.values().copied().max().unwrap_or(0)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Moves bytes both ways. True: something happened.
    pub(super) fn step(&mut self, now: Duration, random: &mut Rng) -> bool {
        if now < self.stalled_until {
            return false;
        }
        let mut busy = self.accept(now, random);
        let mut index = 0;
        while let Some(connection) = self.connections.get_mut(index) {
            match connection.step(now, random, &mut self.posts) {
                Some(moved) => {
                    busy |= moved;
                    index += 1;
                }
                None => drop(self.connections.remove(index)),
            }
        }
        busy
    }

    fn accept(&mut self, now: Duration, random: &mut Rng) -> bool {
        match self.listener.accept() {
            Ok((socket, _)) => {
                let mut codec = match self.http2 {
                    true => Codec::Http2(Box::new(http2::Connection::new(
                        Role::Server,
                        &super::settings(random),
                    ))),
                    false => Codec::Http1(Box::new(http1::Connection::new(
                        Role::Server,
                        &http1::Settings::default(),
                    ))),
                };
                let mut out = Vec::new();
                codec.start(&mut out);
                let drip = self.link.carry(now, socket, random);
                let (input, streams) = (Vec::new(), BTreeMap::new());
                self.connections.push(Connection { drip, codec, out, input, streams });
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("accept: {error}"),
        }
    }

    /// When something happens next without anybody doing anything.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let answers = self.connections.iter().flat_map(|connection| {
            let waiting = connection.streams.values().filter(|serving| !serving.begun);
            waiting.map(|serving| serving.answers).chain(connection.drip.next(now))
        });
        answers.map(|time| time.max(self.stalled_until)).filter(|&time| time > now).min()
    }
}

impl Connection {
    /// `None`: it is over.
    fn step(
        &mut self,
        now: Duration,
        random: &mut Rng,
        posts: &mut BTreeMap<u64, u32>,
    ) -> Option<bool> {
        let mut buffer = [0; 16 * 1024];
        let busy = match self.drip.read(now, &mut buffer, random) {
            Input::Bytes(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                self.decode(now, posts);
                true
            }
            Input::Nothing => false,
            Input::Ended => return None,
        };
        self.answer(now);
        self.drip.send(now, &mut self.out, random);
        let over = self.codec.must_close() && self.codec.active_streams() == 0;
        if !self.drip.deliver(now) || (over && self.drip.is_empty()) {
            return None;
        }
        Some(busy)
    }

    fn decode(&mut self, now: Duration, posts: &mut BTreeMap<u64, u32>) {
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        let mut heads = Heads::default();
        loop {
            match self.codec.next_event(&mut rest, &mut heads, &mut self.out) {
                Ok(Some(Event::Request { stream, end })) => {
                    let serving = Serving::read(&heads.request, end, now);
                    if heads.request.method() == Method::Post {
                        *posts.entry(serving.id).or_default() += 1;
                    }
                    self.streams.insert(stream, serving);
                }
                Ok(Some(Event::Data { stream, bytes, flow_bytes, end, .. })) => {
                    self.codec.release(stream, flow_bytes, &mut self.out);
                    let Some(serving) = self.streams.get_mut(&stream) else { continue };
                    let (id, at) = (serving.id, serving.got);
                    assert!(pattern::matches(!id, at, bytes), "wrong bytes in the body of {id}");
                    serving.got += bytes.len();
                    if end {
                        serving.is_whole();
                    }
                }
                Ok(Some(Event::Trailers { stream, .. })) => {
                    if let Some(serving) = self.streams.get_mut(&stream) {
                        serving.is_whole();
                    }
                }
                Ok(Some(Event::Reset { stream, .. })) => drop(self.streams.remove(&stream)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => panic!("the gateway broke the protocol: {error}"),
            }
        }
        self.input = rest.to_vec();
    }

    fn answer(&mut self, now: Duration) {
        let mut done = Vec::new();
        for (&stream, serving) in &mut self.streams {
            if !serving.whole || serving.answers > now {
                continue;
            }
            if !serving.begun {
                serving.begun = true;
                let head = serving.head();
                if self.codec.respond(stream, &head, serving.download == 0, &mut self.out).is_err()
                {
                    done.push(stream);
                    continue;
                }
            }
            let body = (serving.id, serving.sent, serving.download);
            serving.sent = pattern::send(&mut self.codec, stream, body, &mut self.out);
            if serving.sent == serving.download {
                done.push(stream);
            }
        }
        for stream in done {
            self.streams.remove(&stream);
        }
        // Asked for all that may go on; they are looked at in the next step.
        while self.codec.next_writable().is_some() {}
    }
}

impl Serving {
    fn read(head: &RequestHead, end: bool, now: Duration) -> Self {
        let path = String::from_utf8(head.path().to_vec()).unwrap();
        let mut parts = path.split('/').skip(2).map(|part| part.parse::<u64>().unwrap());
        let (id, download, wait) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let upload = match head.body {
            BodyLength::Known(bytes) => Some(bytes as usize),
            _ => None,
        };
        let answers = now + Duration::from_millis(wait);
        let (download, begun) = (download as usize, false);
        Self { id, upload, got: 0, whole: end, download, sent: 0, answers, begun }
    }

    /// The body ended as if it were whole: then it has to be.
    fn is_whole(&mut self) {
        if let Some(declared) = self.upload {
            assert_eq!(self.got, declared, "the body of {} is cut short and whole", self.id);
        }
        self.whole = true;
    }

    fn head(&self) -> ResponseHead {
        let mut head = ResponseHead::new(200);
        head.fields.push(b"x-id", self.id.to_string().as_bytes());
        if self.download > 0 {
            // Of every second answer the length is not known before.
            let declared = BodyLength::Known(self.download as u64);
            head.body = if self.id.is_multiple_of(2) { declared } else { BodyLength::Unknown };
        }
        head
    }
}
