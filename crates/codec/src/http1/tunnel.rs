//! Tunnels: what a connection is after `101 Switching Protocols` (RFC 9110 §7.8) or a 2xx to CONNECT
//! (RFC 9110 §9.3.6).
//!
//! No byte counts as the tunnel's before the agreeing head was written (server) or read (client).
//! What a client sent too early stays in the owner's input: behind the agreement it is the first that
//! comes out of the tunnel; behind a refusal it is read as HTTP again, and after CONNECT not at all,
//! since the connection ends there. So nobody can make a proxy take for HTTP, or an upstream take for
//! checked, what was meant for the tunnel.

use bulkhead_message::{Method, RequestHead};

use super::connection::Connection;
use super::receive::Receive;
use super::response::Asked;
use super::send::Send;

/// Whether this request asks for a tunnel, if the peer agrees.
pub(super) fn is_asked_by(head: &RequestHead) -> bool {
    head.method() == Method::Connect || !head.protocol().is_empty()
}

impl Connection {
    /// Whether a head with `status` agrees to the tunnel that was asked for.
    pub(super) const fn agrees(&self, status: u16) -> bool {
        match self.request.asked {
            Asked::Connect => status >= 200 && status < 300,
            Asked::Head | Asked::Other => self.request.upgrade && status == 101,
        }
    }

    /// The agreeing head has passed: from here on there are only bytes, both ways, and then the end
    /// of the connection.
    pub(super) fn become_tunnel(&mut self) {
        self.closing = true;
        self.receive = Receive::Tunnel;
        if self.send != Send::Done {
            self.send = Send::Tunnel;
        }
    }

    /// Whether the connection is a tunnel, at least one way.
    pub fn is_tunnel(&self) -> bool {
        self.live && (self.receive == Receive::Tunnel || self.send == Send::Tunnel)
    }

    /// Our half of a tunnel has ended and the peer's goes on: the owner ends the sending half of the
    /// transport once all is flushed.
    pub fn is_half_closed(&self) -> bool {
        self.live && self.receive == Receive::Tunnel && self.send == Send::Done
    }
}
