//! Socket options whose value is a `c_int` and that no wrapper of our dependencies has.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Lets `bind` to port 0 choose the port only when the socket connects, when it also knows the peer:
/// without it one local address has its 28,000 ports once, with it once for each peer
/// (`IP_BIND_ADDRESS_NO_PORT`, ip(7)).
pub(crate) fn set_late_port(socket: impl AsFd) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

pub(super) fn set_option(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let descriptor = socket.as_fd();
    // SAFETY: the descriptor is borrowed, so it is open during the call; the pointer is to a local
    // `c_int` whose exact size is given, and the kernel only reads it.
    let status = unsafe {
        libc::setsockopt(
            descriptor.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
