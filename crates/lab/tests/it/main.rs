//! The lab against the world: namespaces, devices, processes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod carrier;
mod link;
mod link_holder;
mod storm;
mod stream;
mod support;
mod unprivileged;
