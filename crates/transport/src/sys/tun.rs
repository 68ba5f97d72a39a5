//! TUN devices: a descriptor on one side, a network interface on the other.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Makes a TUN interface of this name in the network namespace of the calling thread, and joins it to
/// `device` (an open `/dev/net/tun`). The interface lives as long as the descriptor. It offers no
/// offload, so each read gives one IP packet of at most the MTU, with its checksums, and nothing else.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` in that namespace; `EBUSY` when the name is taken; `EINVAL` when it
/// is empty, longer than 15 bytes, or has a zero byte.
pub fn attach_tun(device: impl AsFd, name: &str) -> io::Result<()> {
    // SAFETY: `ifreq` is plain data of the C world, for which all bits zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() >= request.ifr_name.len() || bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    let descriptor = device.as_fd();
    // SAFETY: the descriptor is borrowed, so it is open during the call; the request is a local
    // `ifreq`, which is what TUNSETIFF reads and writes.
    let status =
        unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
