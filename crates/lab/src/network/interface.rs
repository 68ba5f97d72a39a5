//! Interfaces, addresses and routes of the network namespace in which the calling thread is.

use std::fs;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use super::netlink::{CREATE, REPLACE, Request, nested, text};

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
// linux/if_link.h, linux/if_addr.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
// linux/veth.h
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_F_NODAD: u8 = 0x02;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTAX_CC_ALGO: u16 = 16;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_KERNEL: u8 = 2;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;
/// Metric that the kernel gives the route of an IPv6 subnet.
const IP6_RT_PRIO_ADDRCONF: u32 = 256;

const IFF_UP: u32 = 0x1;
/// Nobody is asked for addresses of Ethernet: a TUN interface has none, and a pair only one peer.
const IFF_NOARP: u32 = 0x80;
const IFF_MULTICAST: u32 = 0x1000;

/// The kernel works an IPv6 address in by itself, which a busy machine may put off.
const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(5);

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Brings the loopback interface up.
pub(super) fn up_loopback() -> io::Result<()> {
    Request::new(RTM_NEWLINK, 0, &link_header(index("lo")?, IFF_UP, IFF_UP)).send()
}

/// Brings an interface up that speaks only when it is spoken to: without multicast the kernel sends no
/// reports of its own, so that counts of packets are those of the traffic.
pub(super) fn up_silent(name: &str, mtu: u32, queue_packets: u32) -> io::Result<()> {
    // Without IPv6 in the kernel there is no such file, and nothing to be silenced.
    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode"), "1");
    let (flags, changed) = (IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP | IFF_MULTICAST);
    Request::new(RTM_NEWLINK, 0, &link_header(index(name)?, flags, changed))
        .attribute(IFLA_MTU, &mtu.to_ne_bytes())
        .attribute(IFLA_TXQLEN, &queue_packets.to_ne_bytes())
        .send()
}

/// Makes a pair of Ethernet interfaces: one of this name and address here, and its peer, of the other
/// name, in another namespace.
pub(super) fn add_pair(
    name: &str,
    ethernet: [u8; 6],
    peer: &str,
    peer_namespace: BorrowedFd<'_>,
) -> io::Result<()> {
    let number = peer_namespace.as_raw_fd().to_ne_bytes();
    let mut far = link_header(0, 0, 0);
    far.extend_from_slice(&nested(&[(IFLA_IFNAME, &text(peer)), (IFLA_NET_NS_FD, &number)]));
    let data = nested(&[(VETH_INFO_PEER, &far)]);
    let info = nested(&[(IFLA_INFO_KIND, b"veth"), (IFLA_INFO_DATA, &data)]);
    Request::new(RTM_NEWLINK, CREATE, &link_header(0, 0, 0))
        .attribute(IFLA_IFNAME, &text(name))
        .attribute(IFLA_ADDRESS, &ethernet)
        .attribute(IFLA_LINKINFO, &info)
        .send()
}

/// Deletes an interface, and with it its peer.
pub(super) fn delete(name: &str) -> io::Result<()> {
    Request::new(RTM_DELLINK, 0, &link_header(index(name)?, 0, 0)).send()
}

/// Gives an interface an address, and with it the route to its subnet.
pub(super) fn add_address(name: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
    let index = index(name)?.to_ne_bytes();
    let (family, bytes) = address_bytes(address);
    let mut header = vec![family, prefix, IFA_F_NODAD, 0];
    header.extend_from_slice(&index);
    Request::new(RTM_NEWADDR, CREATE, &header)
        .attribute(IFA_LOCAL, &bytes)
        .attribute(IFA_ADDRESS, &bytes)
        .send()
}

/// Waits until packets to an own address arrive: the kernel accepts an IPv6 address before it has its
/// route, and until then drops what comes for it.
pub(super) fn await_address(address: IpAddr) -> io::Result<()> {
    let until = Instant::now() + ADDRESS_WAIT_MAX;
    loop {
        if hears_itself(address).unwrap_or(false) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn hears_itself(address: IpAddr) -> io::Result<bool> {
    let socket = UdpSocket::bind((address, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    socket.send_to(b"?", socket.local_addr()?)?;
    Ok(socket.recv(&mut [0]).is_ok())
}

/// Sets the congestion control of TCP for all connections over the route to the interface's subnet.
/// Unlike that of a namespace or a socket it may be any that the kernel has.
pub(super) fn set_congestion_control(
    name: &str,
    address: IpAddr,
    prefix: u8,
    algorithm: &str,
) -> io::Result<()> {
    let (family, source) = address_bytes(address);
    let mut subnet = source.clone();
    for (place, byte) in subnet.iter_mut().enumerate() {
        let kept = usize::from(prefix).saturating_sub(8 * place).min(8);
        *byte &= !(0xff_u16 >> kept) as u8;
    }
    let mut header = vec![family, prefix, 0, 0, RT_TABLE_MAIN, RTPROT_KERNEL];
    header.extend_from_slice(&[if family == AF_INET { RT_SCOPE_LINK } else { 0 }, RTN_UNICAST]);
    header.extend_from_slice(&[0; 4]);
    let metrics = nested(&[(RTAX_CC_ALGO, &text(algorithm))]);
    let mut request = Request::new(RTM_NEWROUTE, REPLACE, &header)
        .attribute(RTA_DST, &subnet)
        .attribute(RTA_OIF, &index(name)?.to_ne_bytes())
        .attribute(RTA_METRICS, &metrics);
    request = if family == AF_INET {
        request.attribute(RTA_PREFSRC, &source)
    } else {
        request.attribute(RTA_PRIORITY, &IP6_RT_PRIO_ADDRCONF.to_ne_bytes())
    };
    request.send()
}

/// Packets that the interface dropped because nobody took them in time.
pub(super) fn transmit_drops(name: &str) -> io::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/net/dev")?;
    let line =
        text.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
    // Eight numbers of receiving, then bytes, packets, errors and drops of sending.
    let drops = line.and_then(|line| line.split_ascii_whitespace().nth(11)?.parse().ok());
    drops.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such interface"))
}

/// Its number in the namespace of the calling thread.
pub(super) fn index(name: &str) -> io::Result<u32> {
    // Any socket of the namespace may ask.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
}

fn link_header(index: u32, flags: u32, changed: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    header.extend_from_slice(&index.to_ne_bytes());
    header.extend_from_slice(&flags.to_ne_bytes());
    header.extend_from_slice(&changed.to_ne_bytes());
    header
}

fn address_bytes(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    }
}
