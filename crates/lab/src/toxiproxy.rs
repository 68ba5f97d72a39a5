//! TCP proxies with faults that are driven by the HTTP API of Toxiproxy (version 2), so that its
//! clients work unchanged.
//!
//! A toxic is what Toxiproxy calls a fault of a stream of bytes: it acts above TCP. It cannot lose
//! packets, since TCP would send them again; that takes a link of the lab. Everything here dies with the process: a proxy that is gone
//! resets its connections, and leaves nothing behind.
//!
//! Read `toxic.rs` (what can be asked for), `pipeline.rs` (what becomes of bytes; pure), `link.rs` (one
//! connection), `proxy.rs` (one listener), `collection.rs`, `api.rs`, `server.rs`.
//!
//! With a gateway (`gateway.rs`, `front.rs`) its listeners are shown as proxies as well; their toxics are
//! rules that the gateway carries out.

mod api;
mod collection;
mod error;
mod front;
mod gateway;
mod link;
mod pipeline;
mod proxy;
mod server;
mod toxic;

pub use server::{Toxiproxy, ToxiproxyOptions};
