//! Bytes ⇄ message events, for HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113, HPACK RFC 7541).
//!
//! Sans-I/O: state machines over byte slices. No sockets, no async, no locks, no clock, no `unsafe`,
//! and no input makes them panic or grow without a named limit. One vocabulary ([`Event`], [`Codec`])
//! serves both protocols and both roles, so that what stands above need not know which one it drives.
//! Two more readers look at what stands in front of them: [`proxy_protocol`] and [`client_hello`].

#![deny(clippy::indexing_slicing)]

pub mod client_hello;
pub mod grpc_web;
pub mod http1;
pub mod http2;
pub mod proxy_protocol;

mod codec;
mod event;

pub use codec::Codec;
pub use event::{
    ConnectionError, ErrorCode, Event, Heads, OpenError, Role, SendError, StreamId, Tag,
};
