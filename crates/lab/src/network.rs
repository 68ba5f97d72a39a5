//! Faults in packets, on links that the lab makes.
//!
//! A [`Link`] joins two network namespaces by a TUN device in each and a *packet box* between them: a
//! thread that moves packets from one device to the other through the model of
//! `bulkhead_chaos::Lane`. It needs neither netem nor an `ip` program, and no root inside a user
//! namespace (`bulkhead_transport::start_in_user_namespace`). Devices vanish with the process, faults
//! expire in the box itself.

mod bpf;
mod carrier;
mod device;
mod dns;
mod held;
mod holder;
mod in_kernel;
mod injector;
mod interface;
mod link;
mod maker;
mod mover;
mod namespace;
mod netem;
mod netlink;
mod nftables;
mod packets;
mod place;
mod probe;
mod reply;
mod reset;
mod timer;
mod veth;

use std::io;

pub use bpf::Bpf;
pub use carrier::{Carrier, InterfaceInjector, NetworkInjector};
pub(crate) use held::HeldLinkInjector;
pub use held::{
    EndPlace, HELD_LINKS_MAX, HeldLink, HeldLinks, LinkPlace, LinkRequest, MakeLinkError,
};
pub use holder::hold_link;
pub use in_kernel::strikes_in_kernel;
pub use injector::{LinkInjector, Links};
pub use link::{End, LINK_MTU, Link, LinkError, LinkOptions};
pub use mover::{CommandError, LaneReport, LinkReport};
pub use namespace::Namespace;
pub use netem::NetemInjector;
pub(crate) use netem::Placement;
pub use nftables::Nftables;
pub use veth::LinkKind;

/// The kernel refused a part of a network. Nothing of it is left when the values that were made so
/// far are dropped.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct NetworkError {
    /// What was being done: `make a network namespace`.
    pub step: String,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

impl NetworkError {
    /// With what the kernel said.
    fn told(&self) -> String {
        format!("{}: {}", self.step, self.source)
    }

    fn at(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |source| Self { step, source }
    }

    fn errno(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self { step: step.to_owned(), source: source.into() }
    }
}
