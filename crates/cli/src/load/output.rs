//! What a run leaves behind, and what it shows while it goes on: a file format, a page, a screen or a
//! receiver of metrics each in a file of its own.
//!
//! All of them are told what was measured and never measure anything themselves.

mod csv;
mod hdr_log;
mod hgrm;
mod html;
mod junit;
mod live;
mod push;

pub(crate) use csv::csv;
#[allow(unused_imports, reason = "the flags that ask for them come with the next change")]
pub(crate) use {
    hdr_log::HdrLog,
    hgrm::hgrm,
    html::{Contents, Curve, html},
    junit::junit,
    live::{Live, LivePlan},
    push::{Format, Labels, Push, PushReport},
};

use super::document::Document;

/// What a reader needs to make the same run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The whole command line.
    pub(crate) command: String,
    /// Of this program.
    pub(crate) version: String,
    /// When the run ended, in seconds since 1970.
    pub(crate) ended_unix_s: u64,
}

#[cfg(test)]
mod sample;
