//! The lab against the world: namespaces, devices, processes.

mod link;
mod support;
mod unprivileged;
