//! Listening sockets: one per worker on the same address, so that the kernel spreads connections
//! and no lock is shared. Knows nothing of what is spoken on the accepted streams.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;

use bulkhead_message::{Address, UnixName};
use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token, event};
use socket2::{Domain, Protocol, Socket, Type};

use crate::sys;
use crate::unix::{self, SocketFile};

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
    /// Permissions of a Unix socket's file; `None`: what the umask leaves.
    pub socket_mode: Option<u32>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            fast_open_queue: 256,
            reuse_port: true,
            only_v6: false,
            socket_mode: None,
        }
    }
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}: {cause}; {}", remedy(.address, .cause))]
pub struct BindError {
    /// The address.
    pub address: Address,
    /// What the kernel said.
    pub cause: io::Error,
}

fn remedy(address: &Address, cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse if address.unix().is_some() => {
            "another process listens there: stop it (`ss -lxp` shows it) or choose another name"
        }
        io::ErrorKind::AlreadyExists => "a file that is no socket has this name: choose another",
        io::ErrorKind::NotFound => "make the folder first",
        io::ErrorKind::PermissionDenied if address.unix().is_some() => {
            "the process needs the right to write to the folder"
        }
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
    socket: Listening,
    /// The Unix socket's file, where it has one and this handle keeps it.
    file: Option<Arc<SocketFile>>,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Listener {
    /// Listens on `address`; port 0 lets the system choose one ([`Listener::local_addr`] tells). The
    /// file of a Unix socket is removed with the last handle that keeps it ([`Listener::keep`]); one
    /// that a dead process has left is replaced.
    ///
    /// # Errors
    /// [`BindError`] names the address, what the kernel said and what to do.
    pub fn bind(address: impl Into<Address>, options: &ListenerOptions) -> Result<Self, BindError> {
        let address = address.into();
        let bound = match &address {
            Address::Inet(address) => Self::bind_inet(*address, options),
            Address::Unix(name) => Self::bind_unix(name, options),
        };
        bound.map_err(|cause| BindError { address, cause })
    }

    fn bind_inet(address: SocketAddr, options: &ListenerOptions) -> io::Result<Self> {
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
        let socket = Listening::Tcp(TcpListener::from_std(StdListener::from(socket)));
        Ok(Self { socket, file: None })
    }

    fn bind_unix(name: &UnixName, options: &ListenerOptions) -> io::Result<Self> {
        if let Some(path) = name.path() {
            unix::remove_dead_file(path)?;
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
        socket.bind(&unix::socket_address(name)?)?;
        // Before it listens: nobody can come in while the permissions are not what they are to be.
        let file =
            name.path().map(|path| SocketFile::made(path, options.socket_mode)).transpose()?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        let socket = StdUnixListener::from(OwnedFd::from(socket));
        let socket = Listening::Unix(UnixListener::from_std(socket));
        Ok(Self { socket, file: file.map(Arc::new) })
    }

    /// A listening socket that somebody else has opened. It is made non-blocking, for all who share
    /// it. The file of a Unix socket stays when it is closed: others may listen there.
    ///
    /// # Errors
    /// `InvalidInput` if it is no listening stream socket; others from the kernel.
    pub fn adopt(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no listening stream socket"));
        }
        socket.set_nonblocking(true)?;
        if socket.domain()? == Domain::UNIX {
            let socket = StdUnixListener::from(OwnedFd::from(socket));
            let socket = Listening::Unix(UnixListener::from_std(socket));
            return Ok(Self { socket, file: None });
        }
        socket.set_tcp_nodelay(true)?;
        let socket = Listening::Tcp(TcpListener::from_std(StdListener::from(socket)));
        Ok(Self { socket, file: None })
    }

    /// Another descriptor of the same socket and accept queue. The queue lives until the last of
    /// them is dropped: who keeps a duplicate can go on accepting for a dead worker. It does not
    /// keep the file of a Unix socket.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn duplicate(&self) -> io::Result<Self> {
        let descriptor = self.socket.as_fd().try_clone_to_owned()?;
        let socket = match &self.socket {
            Listening::Tcp(_) => {
                Listening::Tcp(TcpListener::from_std(StdListener::from(descriptor)))
            }
            Listening::Unix(_) => {
                Listening::Unix(UnixListener::from_std(StdUnixListener::from(descriptor)))
            }
        };
        Ok(Self { socket, file: None })
    }

    /// Another process listens here too: the file of a Unix socket is not removed any more.
    pub fn leave_file(&self) {
        if let Some(file) = &self.file {
            file.leave();
        }
    }

    /// [`Listener::duplicate`] that keeps the file of a Unix socket as well.
    ///
    /// # Errors
    /// As [`Listener::duplicate`].
    pub fn keep(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.clone(), ..self.duplicate()? })
    }

    /// Takes the next connection and its address (none of a Unix socket), over TCP with `TCP_NODELAY`
    /// set. Connections that ended while they waited are passed over.
    ///
    /// # Errors
    /// `WouldBlock` when none waits; others (no descriptor or memory left) say nothing about the
    /// listener, which goes on working.
    pub fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        loop {
            match self.accept_one() {
                Err(cause)
                    if matches!(
                        cause.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                other => return other,
            }
        }
    }

    fn accept_one(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        match &self.socket {
            Listening::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                #[cfg(not(target_os = "linux"))]
                stream.set_nodelay(true)?;
                Ok((stream, Some(peer)))
            }
            Listening::Unix(socket) => {
                let (stream, _unnamed) = socket.accept()?;
                Ok((stream_of(OwnedFd::from(stream)), None))
            }
        }
    }

    /// The address with the actual port.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<Address> {
        match &self.socket {
            Listening::Tcp(socket) => socket.local_addr().map(Address::Inet),
            Listening::Unix(socket) => {
                let name = unix::name_of(&socket.local_addr()?);
                name.map(Address::Unix).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn source(&mut self) -> &mut dyn event::Source {
        match &mut self.socket {
            Listening::Tcp(socket) => socket,
            Listening::Unix(socket) => socket,
        }
    }
}

/// A connected stream socket of any family. The type is a descriptor with a name: reading, writing,
/// shutting down and polling are the same calls for all; only addresses differ, and are told apart.
pub(crate) fn stream_of(socket: OwnedFd) -> TcpStream {
    TcpStream::from_std(StdStream::from(socket))
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl event::Source for Listener {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.source().register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.source().reregister(to, token, interest)
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        self.source().deregister(from)
    }
}

#[cfg(test)]
mod tests;
