//! HTTP/1.1 and HTTP/1.0 (RFC 9112), server and client side.
//!
//! Strict where leniency lets two parsers disagree about where a message ends: what is ambiguous is
//! refused and the connection closed, never repaired. This module never looks at a body, never
//! decides what to answer, and never forwards framing or connection fields that it finds in a head:
//! framing is its own business in both directions.
//!
//! | file | what it holds |
//! |---|---|
//! | `connection` | the public state machine: limits, flags, life of one exchange after the other |
//! | `receive` | bytes → events: whose turn it is, bodies, end of input |
//! | `send` | calls → bytes: heads, bodies, trailers, the guard on declared lengths |
//! | `request`, `response` | start lines and what a whole head means for the framing |
//! | `fields` | field sections of heads and trailers |
//! | `tunnel` | what a connection becomes after 101, or a 2xx to CONNECT |
//! | `chunk` | chunk-size lines |
//! | `encode` | writing of fields, numbers and status lines |
//! | `reject` | why a message is refused and how the peer is told |

mod chunk;
mod connection;
mod encode;
mod fields;
mod receive;
mod reject;
mod request;
mod response;
mod send;
mod tunnel;

pub use connection::{Connection, Settings};
pub(crate) use request::is_authority;
