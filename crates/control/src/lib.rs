//! The control plane: what may wait, beside the workers that may not.
//!
//! One thread of its own with a small asynchronous runtime serves the admin address, watches the
//! configuration file and everything it refers to, looks names of endpoints up again, and checks their
//! health. It talks
//! to the data plane through [`Plane`] only, and knows nothing of the gateway: with the control
//! plane dead, requests go on.
//!
//! It never touches a request, and never makes half of a configuration take effect.

mod acme;
mod admin;
mod certificates;
mod control;
mod discovery;
mod dns;
mod effort;
mod event;
mod files;
mod health;
mod plane;
mod resolver;
mod stamp;
mod status;
mod store;

pub use admin::{
    ADMIN_CONNECTION_LIFETIME, ADMIN_CONNECTIONS_MAX, ADMIN_FIELDS_MAX, ADMIN_HEAD_BYTES_MAX,
    ADMIN_HEAD_TIMEOUT, AdminOptions,
};
pub use control::{Applied, Control, ControlError, ControlOptions};
pub use dns::Lookup;
pub use event::{Event, Level};
pub use files::referenced as referenced_files;
pub use health::CHECKS_AT_ONCE_MAX;
pub use plane::{
    AcmeChallenges, CertificateProblem, CertificateStatus, CheckedEndpoint, ClusterAvailability,
    ClusterStatus, EndpointStatus, ListenerStatus, Plane, WorkerKilled, WorkerStatus,
};
pub use store::{CONFIG_BYTES_MAX, CONFIG_POLL_INTERVAL, ConfigSource, Parse, Parsed};
