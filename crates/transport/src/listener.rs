//! Listening sockets: one per worker on the same address, so that the kernel spreads connections
//! and no lock is shared. Knows nothing of what is spoken on the accepted streams.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token, event};
use socket2::{Domain, Protocol, Socket, Type};

use crate::sys;

/// How a listening socket is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Connections that wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    pub backlog: u32,
    /// Connections that may wait with data in their SYN (TCP fast open); 0: off. Where the kernel
    /// refuses it, the listener works without.
    pub fast_open_queue: u32,
    /// Several sockets may listen on the address; the kernel spreads connections over them.
    pub reuse_port: bool,
    /// An IPv6 listener does not take IPv4 connections.
    pub only_v6: bool,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { backlog: 4096, fast_open_queue: 256, reuse_port: true, only_v6: false }
    }
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}: {cause}; {}", remedy(.cause))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the kernel said.
    pub cause: io::Error,
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it (`ss -ltnp` shows it) or choose another port"
        }
        io::ErrorKind::PermissionDenied => {
            "use a port above 1023, or grant CAP_NET_BIND_SERVICE to the process"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface has this address: use one of `ip address`, or 0.0.0.0 or [::] for all"
        }
        io::ErrorKind::Unsupported => "the system has no such address family: use an IPv4 address",
        _ if cause.raw_os_error() == Some(libc::EMFILE) => {
            "raise the limit of open files (`ulimit -n`)"
        }
        _ if cause.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            "the system has no such address family: use an IPv4 address"
        }
        _ => "check the address",
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens on `address`; port 0 lets the system choose one ([`Listener::local_addr`] tells).
    ///
    /// # Errors
    /// [`BindError`] names the address, what the kernel said and what to do.
    pub fn bind(address: SocketAddr, options: &ListenerOptions) -> Result<Self, BindError> {
        Self::bind_inner(address, options).map_err(|cause| BindError { address, cause })
    }

    fn bind_inner(address: SocketAddr, options: &ListenerOptions) -> io::Result<Self> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(options.only_v6)?;
        }
        // A restarted gateway must not wait until the kernel forgets its old connections.
        socket.set_reuse_address(true)?;
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        // Accepted sockets inherit it, which saves a system call per connection.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        if options.fast_open_queue > 0 {
            // An optimisation that containers and old kernels may deny: no reason not to start.
            let _denied = sys::set_fast_open_queue(&socket, options.fast_open_queue);
        }
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        Ok(Self { socket: TcpListener::from_std(StdListener::from(socket)) })
    }

    /// A listening socket that somebody else has opened. It is made non-blocking, for all who share it.
    ///
    /// # Errors
    /// `InvalidInput` if it is no listening stream socket; others from the kernel.
    pub fn adopt(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no listening stream socket"));
        }
        socket.set_nonblocking(true)?;
        if socket.domain()? != Domain::UNIX {
            socket.set_tcp_nodelay(true)?;
        }
        Ok(Self { socket: TcpListener::from_std(StdListener::from(socket)) })
    }

    /// Another descriptor of the same socket and accept queue. The queue lives until the last of
    /// them is dropped: who keeps a duplicate can go on accepting for a dead worker.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn duplicate(&self) -> io::Result<Self> {
        let descriptor = self.socket.as_fd().try_clone_to_owned()?;
        Ok(Self { socket: TcpListener::from_std(StdListener::from(descriptor)) })
    }

    /// Takes the next connection, with `TCP_NODELAY` set. Connections that ended while they waited are
    /// passed over.
    ///
    /// # Errors
    /// `WouldBlock` when none waits; others (no descriptor or memory left) say nothing about the
    /// listener, which goes on working.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.socket.accept() {
                Err(cause)
                    if matches!(
                        cause.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(cause) => return Err(cause),
                Ok((stream, peer)) => {
                    #[cfg(not(target_os = "linux"))]
                    stream.set_nodelay(true)?;
                    return Ok((stream, peer));
                }
            }
        }
    }

    /// The address with the actual port.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl event::Source for Listener {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.reregister(to, token, interest)
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        self.socket.deregister(from)
    }
}

#[cfg(test)]
mod tests;
