//! The chaos lab: carries faults out, shows that they took hold, and takes them back.
//!
//! What may become of an injection is decided in `bulkhead-chaos`; here is the world: processes,
//! sockets, packets, files. Each fault has an [`Injector`] in a file of its own.

mod injector;
mod network;
mod toxiproxy;

pub use injector::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};
pub use network::{
    CommandError, End, LINK_MTU, LaneReport, Link, LinkError, LinkInjector, LinkOptions,
    LinkReport, Links, Namespace, NetworkError,
};
pub use toxiproxy::{Toxiproxy, ToxiproxyOptions};
