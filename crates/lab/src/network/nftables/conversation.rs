//! A socket of netfilter's netlink: batches, of which all or nothing is done, and dumps.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags, netlink};

use crate::network::netlink::{
    DATAGRAM_BYTES_MAX, DATAGRAMS_MAX, DUMP, NLMSG_ERROR, Request, dump, error_of, messages, socket,
};

const NLM_F_REQUEST: u16 = 0x1;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// Number of nftables among the parts of netfilter.
const SUBSYSTEM: u16 = 10;

/// A conversation with nftables in the network namespace where it was begun. What it owns vanishes with
/// it.
#[derive(Debug)]
pub struct Conversation(OwnedFd);

/// Type of a message of nftables.
pub(super) const fn kind(number: u16) -> u16 {
    SUBSYSTEM << 8 | number
}

/// What precedes the attributes (`struct nfgenmsg`).
pub(super) const fn head(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

impl Conversation {
    /// In the namespace of the calling thread.
    pub(super) fn begin() -> io::Result<Self> {
        Ok(Self(socket(Some(netlink::NETFILTER))?))
    }

    /// Carries out all requests, or none if one is refused. `commit: false` only asks whether they
    /// would be: a batch without its end is checked and forgotten.
    pub(super) fn batch(&self, requests: Vec<Request>, commit: bool) -> io::Result<()> {
        let bound = |kind| Request::with_flags(kind, NLM_F_REQUEST, &[0, 0, 0, SUBSYSTEM as u8]);
        let awaited = requests.len();
        let mut bytes = bound(BATCH_BEGIN).finish();
        for request in requests {
            bytes.extend_from_slice(&request.finish());
        }
        if commit {
            bytes.extend_from_slice(&bound(BATCH_END).finish());
        }
        rustix::net::send(&self.0, &bytes, SendFlags::empty())?;
        // The kernel has answered when `send` returns.
        let mut answers = 0;
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_MAX {
            let length =
                match rustix::net::recv(&self.0, datagram.as_mut_slice(), RecvFlags::DONTWAIT) {
                    Ok((_, length)) => length,
                    Err(rustix::io::Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                };
            for (kind, body) in messages(&datagram[..length]) {
                if kind == NLMSG_ERROR {
                    error_of(body)?;
                    answers += 1;
                }
            }
        }
        if commit && answers < awaited {
            let what = format!("nftables answered {answers} of {awaited} requests");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(())
    }

    /// Everything that a request for a list gives: the attributes of each message.
    pub(super) fn dump(
        &self,
        number: u16,
        family: u8,
        filter: &[(u16, &[u8])],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut request = Request::with_flags(kind(number), DUMP, &head(family));
        for (kind, value) in filter {
            request = request.attribute(*kind, value);
        }
        dump(&self.0, request, |body| each(body.get(4..).unwrap_or_default()))
    }
}
