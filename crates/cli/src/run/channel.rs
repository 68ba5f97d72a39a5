//! What a process tells the one that goes on in its place, and what that one answers: listening
//! sockets, keys of session tickets, readiness.
//!
//! The two ends are a pair of `SOCK_SEQPACKET` sockets. A message is one packet: the version of the
//! protocol, the kind, the content; a socket goes along as a descriptor (`SCM_RIGHTS`). Kinds that an
//! end does not know are passed over, so that a newer version may say more.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Version of the protocol. It changes when an older process would misunderstand a newer one.
const VERSION: u8 = 1;
/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Most sockets that are passed: workers times listeners, at their limits, is more than anybody opens.
const SOCKETS_MAX: usize = 65_536;
/// How long an end waits for the other to take or to give a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose a passed socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A listener of the gateway.
    Listener,
    /// The admin server.
    Admin,
}

/// A listening socket on its way to another process.
#[derive(Debug)]
pub(super) struct PassedSocket {
    pub(super) owner: Owner,
    /// The listener's name.
    pub(super) name: String,
    /// The address as it is configured; empty: unknown.
    pub(super) address: String,
    pub(super) descriptor: OwnedFd,
}

/// See the module.
#[derive(Debug)]
pub(super) enum Message {
    /// A socket of an offer that is not complete yet.
    Socket(PassedSocket),
    /// Keys of session tickets, of the same offer.
    Tickets(Vec<u8>),
    /// The offer is complete, and replaces the one before it.
    End,
    /// The sender serves.
    Ready,
    /// What is to be told to the service manager.
    Notify(String),
    /// The sockets are somebody else's now: drain, and leave who waits there.
    Retire,
}

/// One end.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends; the other one is for a process that is yet to be started.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (own, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::from_end(own)?, other))
    }

    /// The end that this process was given.
    pub(super) fn from_end(end: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&end, Timeout::Send, Some(PATIENCE))?;
        Ok(Self(end))
    }

    /// How long [`Self::receive`] waits; `None`: for ever.
    pub(super) fn wait_for(&self, patience: Option<Duration>) -> io::Result<()> {
        // Nothing at all would mean for ever.
        let patience = patience.map(|patience| patience.max(Duration::from_millis(1)));
        Ok(set_socket_timeout(&self.0, Timeout::Recv, patience)?)
    }

    /// # Errors
    /// `BrokenPipe` if the other end is gone; `WouldBlock` if it takes nothing for 10 s.
    pub(super) fn send(&self, message: &Message) -> io::Result<()> {
        let (kind, content, socket) = match message {
            Message::Socket(socket) => {
                let owner = if socket.owner == Owner::Admin { 'A' } else { 'L' };
                let content = format!("{owner}{}\n{}", socket.name, socket.address);
                (b'S', content.into_bytes(), Some(socket.descriptor.as_fd()))
            }
            Message::Tickets(keys) => (b'T', keys.clone(), None),
            Message::End => (b'E', Vec::new(), None),
            Message::Ready => (b'R', Vec::new(), None),
            Message::Notify(state) => (b'N', state.clone().into_bytes(), None),
            Message::Retire => (b'X', Vec::new(), None),
        };
        let head = [VERSION, kind];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let rights: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
        if !rights.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&rights));
        }
        let parts = [IoSlice::new(&head), IoSlice::new(&content)];
        sendmsg(&self.0, &parts, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message; `None`: the other end is gone.
    ///
    /// # Errors
    /// `WouldBlock` if none comes in time; `InvalidData` for what is no message.
    pub(super) fn receive(&self) -> io::Result<Option<Message>> {
        self.receive_with(RecvFlags::empty())
    }

    /// [`Self::receive`] without waiting.
    pub(super) fn try_receive(&self) -> io::Result<Option<Message>> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    fn receive_with(&self, flags: RecvFlags) -> io::Result<Option<Message>> {
        loop {
            let mut bytes = [0; MESSAGE_BYTES_MAX];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let flags = flags | RecvFlags::CMSG_CLOEXEC;
            let length = match recvmsg(&self.0, &mut parts, &mut control, flags) {
                Ok(received) => received.bytes,
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let descriptor = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
                _ => None,
            });
            if length == 0 {
                return Ok(None);
            }
            if let Some(message) = decode(&bytes[..length], descriptor)? {
                return Ok(Some(message));
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `None`: a kind that this version does not know.
fn decode(bytes: &[u8], descriptor: Option<OwnedFd>) -> io::Result<Option<Message>> {
    let wrong = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    let [version, kind, content @ ..] = bytes else { return Err(wrong("half a message")) };
    if *version != VERSION {
        return Err(wrong("the hand-over protocol has another version: restart instead"));
    }
    let text = || std::str::from_utf8(content).map_err(|_| wrong("no text"));
    Ok(Some(match kind {
        b'S' => {
            let descriptor = descriptor.ok_or_else(|| wrong("a socket without descriptor"))?;
            let text = text()?;
            let owner = if text.starts_with('A') { Owner::Admin } else { Owner::Listener };
            let rest = text.get(1..).unwrap_or_default();
            let (name, address) =
                rest.split_once('\n').ok_or_else(|| wrong("a socket without address"))?;
            let (name, address) = (name.to_owned(), address.to_owned());
            Message::Socket(PassedSocket { owner, name, address, descriptor })
        }
        b'T' => Message::Tickets(content.to_vec()),
        b'E' => Message::End,
        b'R' => Message::Ready,
        b'N' => Message::Notify(text()?.to_owned()),
        b'X' => Message::Retire,
        _ => return Ok(None),
    }))
}

/// All that one process has for another.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) sockets: Vec<PassedSocket>,
    pub(super) tickets: Option<Vec<u8>>,
}

impl Offer {
    pub(super) fn send(&self, channel: &Channel) -> io::Result<()> {
        for socket in &self.sockets {
            let descriptor = socket.descriptor.try_clone()?;
            let (name, address) = (socket.name.clone(), socket.address.clone());
            let owner = socket.owner;
            channel.send(&Message::Socket(PassedSocket { owner, name, address, descriptor }))?;
        }
        if let Some(keys) = &self.tickets {
            channel.send(&Message::Tickets(keys.clone()))?;
        }
        channel.send(&Message::End)
    }

    /// Adds what comes in; true: it is complete.
    pub(super) fn add(&mut self, message: Message) -> bool {
        match message {
            Message::Socket(socket) if self.sockets.len() < SOCKETS_MAX => {
                self.sockets.push(socket)
            }
            Message::Tickets(keys) => self.tickets = Some(keys),
            Message::End => return true,
            _ => {}
        }
        false
    }

    /// Waits for a whole one.
    pub(super) fn receive(channel: &Channel) -> io::Result<Self> {
        channel.wait_for(Some(PATIENCE))?;
        let mut offer = Self::default();
        loop {
            let message = channel.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if offer.add(message) {
                return Ok(offer);
            }
        }
    }
}

#[cfg(test)]
mod tests;
