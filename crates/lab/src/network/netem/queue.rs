//! The queueing discipline at the root of an interface, in the namespace of the calling thread.

use std::io;

use super::message;
use super::parameters::{Parameters, Setting};
use crate::network::netlink::{CREATE, DUMP, Request, attributes, dump, socket, text};

// linux/rtnetlink.h
const RTM_GETLINK: u16 = 18;
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_STATS2: u16 = 7;
// linux/gen_stats.h
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
// linux/pkt_sched.h
const TC_H_ROOT: u32 = u32::MAX;
/// `struct tcmsg`: family, interface, handle, parent, information.
const HEAD_BYTES: usize = 20;
/// `struct ifinfomsg`.
const LINK_BYTES: usize = 16;
/// linux/if_arp.h: interfaces that put a header of Ethernet before a packet, loopback among them.
const ETHERNET: [u16; 2] = [1, 772];
const ETHERNET_BYTES: i32 = 14;
const KIND: &str = "netem";

/// What is at the root of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    /// `fq_codel`, `netem`; nothing for one that is down.
    pub(super) kind: String,
    /// Upper 16 bits of its handle. 0: the kernel has put it there by itself.
    pub(super) major: u16,
    /// Of a netem.
    pub(super) parameters: Option<Parameters>,
    pub(super) counts: Counts,
}

/// Packets that a queue has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) dropped: u64,
    pub(super) waiting: u64,
}

impl Queue {
    /// Of an interface, by its number.
    pub(super) fn of(index: u32) -> io::Result<Self> {
        let mut found = Self::default();
        let request = Request::with_flags(RTM_GETQDISC, DUMP, &head(0, 0, 0));
        dump(&socket(None)?, request, |body| {
            let word = |place: usize| {
                body.get(place..).and_then(<[u8]>::first_chunk).map(|it| u32::from_ne_bytes(*it))
            };
            // Kernels pass over the number in a request for a list.
            if word(4) == Some(index) && word(12) == Some(TC_H_ROOT) {
                let major = (word(8).unwrap_or_default() >> 16) as u16;
                found = Self::read(major, body.get(HEAD_BYTES..).unwrap_or_default());
            }
        })?;
        Ok(found)
    }

    fn read(major: u16, bytes: &[u8]) -> Self {
        let mut queue = Self { major, ..Self::default() };
        let mut options = None;
        for (kind, value) in attributes(bytes) {
            match kind {
                TCA_KIND => {
                    let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                    queue.kind = String::from_utf8_lossy(name).into_owned();
                }
                TCA_OPTIONS => options = Some(value),
                TCA_STATS2 => queue.counts = Counts::read(value),
                _ => {}
            }
        }
        queue.parameters = options.filter(|_| queue.kind == KIND).and_then(message::read);
        queue
    }

    /// Whether the kernel has put it there by itself, and will again.
    pub(super) const fn is_default(&self) -> bool {
        self.major == 0
    }

    /// Whether it is the netem of that handle.
    pub(super) fn is_netem(&self, major: u16) -> bool {
        self.major == major && self.kind == KIND
    }
}

impl Counts {
    fn read(bytes: &[u8]) -> Self {
        let mut counts = Self::default();
        for (kind, value) in attributes(bytes) {
            let word = |place: usize| {
                let word = value.get(place..).and_then(<[u8]>::first_chunk);
                word.map_or(0, |it| u64::from(u32::from_ne_bytes(*it)))
            };
            match kind {
                // Behind 64 bits of bytes.
                TCA_STATS_BASIC => counts.passed = word(8),
                TCA_STATS_QUEUE => (counts.waiting, counts.dropped) = (word(0), word(8)),
                _ => {}
            }
        }
        counts
    }
}

/// Puts a netem at the root.
///
/// # Errors
/// `EEXIST`: somebody has put another queue there.
pub(super) fn put(index: u32, major: u16, setting: &Setting) -> io::Result<()> {
    request(RTM_NEWQDISC, CREATE, index, major)
        .attribute(TCA_OPTIONS, &message::options(setting))
        .send()
}

/// Takes the netem of this handle away, and no other; the kernel puts its default there.
pub(super) fn take(index: u32, major: u16) -> io::Result<()> {
    request(RTM_DELQDISC, 0, index, major).send()
}

/// Whether the kernel has netem and lets us have one there: asked by a request that it cannot carry out,
/// for a netem without options.
pub(super) fn rehearse(index: u32, major: u16) -> io::Result<()> {
    match request(RTM_NEWQDISC, CREATE, index, major).send() {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            Ok(())
        }
        Err(error) => Err(error),
        Ok(()) => {
            take(index, major)?;
            Err(io::Error::new(io::ErrorKind::InvalidData, "a netem without options was accepted"))
        }
    }
}

/// What an interface puts before a packet of IP, in bytes.
pub(super) fn header_bytes(index: u32) -> io::Result<i32> {
    let mut found = 0;
    let request = Request::with_flags(RTM_GETLINK, DUMP, &[0; LINK_BYTES]);
    dump(&socket(None)?, request, |body| {
        let kind = body.get(2..).and_then(<[u8]>::first_chunk).map(|it| u16::from_ne_bytes(*it));
        let number = body.get(4..).and_then(<[u8]>::first_chunk).map(|it| u32::from_ne_bytes(*it));
        if number == Some(index) && kind.is_some_and(|kind| ETHERNET.contains(&kind)) {
            found = ETHERNET_BYTES;
        }
    })?;
    Ok(found)
}

fn request(kind: u16, flags: u16, index: u32, major: u16) -> Request {
    Request::new(kind, flags, &head(index, u32::from(major) << 16, TC_H_ROOT))
        .attribute(TCA_KIND, &text(KIND))
}

fn head(index: u32, handle: u32, parent: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&handle.to_ne_bytes());
    head[12..16].copy_from_slice(&parent.to_ne_bytes());
    head
}

#[cfg(test)]
mod tests;
