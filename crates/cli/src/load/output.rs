//! What a run leaves behind, and what it shows while it goes on: a file format, a page, a screen or a
//! receiver of metrics each in a file of its own.
//!
//! All of them are told what was measured and never measure anything themselves.

mod args;
mod csv;
mod hdr_log;
mod hgrm;
mod html;
mod junit;
mod live;
mod provenance;
mod push;
mod sinks;

pub(crate) use csv::csv;
pub(crate) use {
    args::OutputArgs,
    html::{Contents, Curve},
    live::LivePlan,
    provenance::Provenance,
    sinks::{Sinks, write_files},
};

use super::document::Document;
use hgrm::hgrm;
use junit::junit;

#[cfg(test)]
mod sample;
