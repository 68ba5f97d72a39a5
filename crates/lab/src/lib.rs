//! The chaos lab: carries faults out, shows that they took hold, and takes them back.
//!
//! What may become of an injection is decided in `bulkhead-chaos`; here is the world: processes,
//! sockets, packets, files. Each fault has an [`Injector`] in a file of its own; a [`Lab`] carries out
//! what the engine wants.

mod admin;
mod audit;
mod browser;
mod clock;
mod directory;
mod events;
mod failure;
mod gateway;
mod host;
mod inert;
mod injector;
mod journal;
mod metrics;
mod network;
mod pool;
mod process;
mod registry;
mod runtime;
mod server;
mod toxiproxy;
mod writer;

pub use directory::{RecordError, audit_path, lever_path, recorded, socket_path};
pub use events::{EVENTS_KEPT_MAX, EVENTS_WAITING_MAX, Subscription};
pub use failure::{Denied, LabError};
pub use gateway::GatewayInjector;
pub use host::{HostInjector, carry};
pub use injector::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};
pub use network::{
    Bpf, Carrier, CommandError, End, EndPlace, HELD_LINKS_MAX, HeldLink, HeldLinks,
    InterfaceInjector, LINK_MTU, LaneReport, Link, LinkError, LinkInjector, LinkKind, LinkOptions,
    LinkPlace, LinkReport, LinkRequest, Links, MakeLinkError, Namespace, NetemInjector,
    NetworkError, NetworkInjector, Nftables, hold_link, strikes_in_kernel,
};
pub use process::{
    GuardianCommand, KillProcess, RestartProcess, StopProcess, guard, process_target,
};
pub use registry::Registry;
pub use runtime::{DryRun, Lab, LabOptions, Ordered, Status, Until, set_lever_file};
pub use server::{CONNECTIONS_MAX, Endpoint, ServeError, serve};
pub use toxiproxy::{Toxiproxy, ToxiproxyOptions};
