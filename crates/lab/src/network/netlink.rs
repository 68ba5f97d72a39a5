//! Requests to the kernel over netlink (RFC 3549): a header, a fixed part, attributes; one answer.
//!
//! Few requests are made, and all are of one form, so that they are written here and no library is
//! needed. Numbers are in the byte order of the host.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// It is a request, and is to be answered.
pub(super) const REQUEST: u16 = 0x1 | 0x4;
/// Replace what is there, or make it.
pub(super) const REPLACE: u16 = 0x100 | 0x400;
/// Make it, and fail if it is there.
pub(super) const CREATE: u16 = 0x200 | 0x400;

/// It asks for a list.
pub(super) const DUMP: u16 = 0x1 | 0x300;

/// Type of an answer that is an error, or with the number 0 a success.
pub(super) const NLMSG_ERROR: u16 = 2;
/// Type of the message that ends a list.
const NLMSG_DONE: u16 = 3;
/// Largest datagram of a list: the kernel's own limit.
pub(super) const DATAGRAM_BYTES_MAX: usize = 32 * 1024;
/// Datagrams of an answer that are read; more than any list that a person could look at.
pub(super) const DATAGRAMS_MAX: usize = 4_096;
/// Flags in the type of an attribute: it holds attributes; its number is in network byte order.
pub(super) const NESTED: u16 = 0x8000;
const NETWORK_ORDER: u16 = 0x4000;
const HEADER_BYTES: usize = 16;
/// Largest answer that is read; an error repeats the request.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        Self::with_flags(kind, REQUEST | flags, fixed)
    }

    /// One that need not be answered.
    pub(super) fn with_flags(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&1u32.to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self(bytes)
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        push_attribute(&mut self.0, kind, value);
        self
    }

    /// Its bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }

    /// Sends it from the network namespace of the calling thread and waits for the answer.
    pub(super) fn send(self) -> io::Result<()> {
        let socket = socket(None)?;
        rustix::net::send(&socket, &self.finish(), SendFlags::empty())?;
        let mut answer = [0; ANSWER_BYTES_MAX];
        let (_, read) = rustix::net::recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
        status(&answer[..read])
    }
}

/// Everything that a request for a list gives, message by message.
pub(super) fn dump(
    socket: &OwnedFd,
    request: Request,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    rustix::net::send(socket, &request.finish(), SendFlags::empty())?;
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    for _ in 0..DATAGRAMS_MAX {
        let (_, length) = rustix::net::recv(socket, datagram.as_mut_slice(), RecvFlags::empty())?;
        for (kind, body) in messages(&datagram[..length]) {
            match kind {
                NLMSG_DONE | NLMSG_ERROR => return error_of(body),
                _ => each(body),
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a list of netlink has no end"))
}

/// An attribute that holds attributes.
pub(super) fn nested(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, value) in attributes {
        push_attribute(&mut bytes, *kind, value);
    }
    bytes
}

fn push_attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = 4 + value.len();
    bytes.extend_from_slice(&(length as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A string as netlink has it.
pub(super) fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The attributes that a message holds behind its fixed part; what does not fit ends them.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & !NESTED & !NETWORK_ORDER;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The messages of a datagram, each as its type and what follows the header.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let body = bytes.get(HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// `None` is the protocol of routes and interfaces, which has the number 0.
pub(super) fn socket(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    Ok(rustix::net::socket_with(family, SocketType::RAW, flags, protocol)?)
}

fn status(answer: &[u8]) -> io::Result<()> {
    match messages(answer).next() {
        Some((NLMSG_ERROR, body)) => error_of(body),
        _ => Err(odd()),
    }
}

/// What the body of an `NLMSG_ERROR` says; success too is told so.
pub(super) fn error_of(body: &[u8]) -> io::Result<()> {
    match i32::from_ne_bytes(*body.first_chunk().ok_or_else(odd)?) {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
    }
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an answer of netlink without status")
}
