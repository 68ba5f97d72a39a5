//! Sockets that take all packets of an interface (packet(7)), and the offload of interfaces.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::option::set_option;

/// Length of an Ethernet address, in bytes.
const ETHERNET_BYTES: usize = 6;

/// Opens a socket that takes every packet that comes in at an interface of the calling thread's network
/// namespace, from its network header on. It does not block.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`; `ENODEV`: no such interface; `ENETDOWN`: it is down.
pub fn open_packet_socket(interface: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Without a protocol nothing is taken before the socket is bound.
    // SAFETY: no pointer is passed.
    let number = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor, which nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    let address = address(interface, libc::ETH_P_ALL as u16, [0; ETHERNET_BYTES]);
    // SAFETY: the pointer is to a local `sockaddr_ll` whose exact size is given, and the kernel only
    // reads it.
    let status = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// Sends an IP packet out of an interface to an Ethernet address, over a socket of
/// [`open_packet_socket`].
///
/// # Errors
/// `ENOBUFS`, `EAGAIN`: the kernel has no room; `EMSGSIZE`: it is longer than the MTU.
pub fn send_packet(
    socket: impl AsFd,
    interface: u32,
    to: [u8; ETHERNET_BYTES],
    packet: &[u8],
) -> io::Result<()> {
    let is_v6 = packet.first().is_some_and(|byte| byte >> 4 == 6);
    let kind = if is_v6 { libc::ETH_P_IPV6 } else { libc::ETH_P_IP };
    let address = address(interface, kind as u16, to);
    // SAFETY: the first pointer is to as many readable bytes as are given, the second to a local
    // `sockaddr_ll` whose exact size is given; the kernel only reads both.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            0,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Packets that a socket of [`open_packet_socket`] had no room for since this was last asked.
///
/// # Errors
/// It is another socket.
pub fn packet_socket_drops(socket: impl AsFd) -> io::Result<u64> {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the statistics, which are numbers, and the
    // length it wrote; both are locals.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if status == 0 { Ok(statistics.tp_drops.into()) } else { Err(io::Error::last_os_error()) }
}

/// Lets the kernel finish packets before it gives them to an interface of the calling thread's network
/// namespace: with their checksums, and cut to the MTU, as without checksums there is no segmentation
/// offload either (ethtool's `tx off`).
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`; `ENODEV`: no such interface; `EINVAL`: no such name.
pub fn turn_offload_off(name: &str) -> io::Result<()> {
    // linux/ethtool.h: `struct ethtool_value` of ETHTOOL_STXCSUM.
    let mut value: [u32; 2] = [0x17, 0];
    // SAFETY: `ifreq` is plain data of the C world, for which all bits zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() >= request.ifr_name.len() || bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: the request is a local `ifreq`, whose pointer is to a local `ethtool_value`: two numbers,
    // of which this command only reads.
    let status =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn address(interface: u32, protocol: u16, to: [u8; ETHERNET_BYTES]) -> libc::sockaddr_ll {
    let mut bytes = [0; 8];
    bytes[..ETHERNET_BYTES].copy_from_slice(&to);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: ETHERNET_BYTES as u8,
        sll_addr: bytes,
    }
}
