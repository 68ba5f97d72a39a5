//! TCP fast open (RFC 7413): data in the SYN of a repeated connection.

use std::io;
#[cfg(test)]
use std::mem::size_of;
use std::os::fd::AsFd;
#[cfg(test)]
use std::os::fd::AsRawFd;

use super::option::set_option;

/// Lets the socket (bound, not yet listening) take data in a SYN; `length` connections may wait
/// for the end of their handshake. Must come before `listen` or at any time after; 0 turns it off.
pub(crate) fn set_fast_open_queue(socket: impl AsFd, length: u32) -> io::Result<()> {
    let length = libc::c_int::try_from(length).unwrap_or(libc::c_int::MAX);
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, length)
}

/// Makes `connect` return at once, and the first write carry the SYN together with its data.
pub(crate) fn set_fast_open_connect(socket: impl AsFd) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)
}

#[cfg(test)]
pub(crate) fn fast_open_queue(socket: impl AsFd) -> io::Result<u32> {
    tcp_option(socket, libc::TCP_FASTOPEN).map(|length| u32::try_from(length).unwrap_or(0))
}

#[cfg(test)]
pub(crate) fn fast_open_connect(socket: impl AsFd) -> io::Result<bool> {
    tcp_option(socket, libc::TCP_FASTOPEN_CONNECT).map(|value| value != 0)
}

#[cfg(test)]
fn tcp_option(socket: impl AsFd, name: libc::c_int) -> io::Result<libc::c_int> {
    let descriptor = socket.as_fd();
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed, so it is open during the call; both pointers are to
    // locals, and `length` says how much the kernel may write.
    let status = unsafe {
        libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::IPPROTO_TCP,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if status == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
