//! Tests of the crate's public face.

mod examples;
mod golden;
mod hostile;
mod published;
