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

/// Type of an answer that is an error, or with the number 0 a success.
const NLMSG_ERROR: u16 = 2;
const HEADER_BYTES: usize = 16;
/// Largest answer that is read; an error repeats the request.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
        bytes[8..12].copy_from_slice(&1u32.to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self(bytes)
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        push_attribute(&mut self.0, kind, value);
        self
    }

    /// Sends it from the network namespace of the calling thread and waits for the answer.
    pub(super) fn send(mut self) -> io::Result<()> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        let socket = socket(None)?;
        rustix::net::send(&socket, &self.0, SendFlags::empty())?;
        let mut answer = [0; ANSWER_BYTES_MAX];
        let (_, read) = rustix::net::recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
        status(&answer[..read])
    }
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

/// `None` is the protocol of routes and interfaces, which has the number 0.
fn socket(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    Ok(rustix::net::socket_with(family, SocketType::RAW, flags, protocol)?)
}

fn status(answer: &[u8]) -> io::Result<()> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "an answer of netlink without status");
    let kind = answer.get(4..6).ok_or_else(odd)?;
    let number = answer.get(HEADER_BYTES..HEADER_BYTES + 4).ok_or_else(odd)?;
    if kind != NLMSG_ERROR.to_ne_bytes() {
        return Err(odd());
    }
    let mut bytes = [0; 4];
    bytes.copy_from_slice(number);
    match i32::from_ne_bytes(bytes) {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
    }
}
