//! The clients of `cargo xtask bench idle` and `cargo xtask bench certificates`: they keep connections,
//! shake hands, and know nothing of the gateway's own code.
//!
//! Blocking and on one thread: what they cost is not measured, and what they wait for is seen.

#![allow(clippy::print_stdout, reason = "what they saw is their output")]

mod certificates;
mod client;
mod handshakes;
mod hold;
mod http1;
mod http2;

use std::env;
use std::path::Path;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: bench-clients hold ADDRESS http1|http2 [CA-FILE]
       bench-clients handshakes ADDRESS CA-FILE COUNT NAMES
       bench-clients shown ADDRESS CA-FILE PEM-FILE
       bench-clients certificates DIRECTORY COUNT";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hold", address, protocol] => hold::run(address, protocol, None),
        ["hold", address, protocol, authority] => {
            hold::run(address, protocol, Some(Path::new(authority)))
        }
        ["handshakes", address, authority, count, names] => {
            handshakes::run(address, Path::new(authority), count.parse()?, names.parse()?)
        }
        ["shown", address, authority, file] => {
            handshakes::wait_until_shown(address, Path::new(authority), Path::new(file))
        }
        ["certificates", directory, count] => {
            certificates::write(Path::new(directory), count.parse()?)
        }
        _ => bail!(USAGE),
    }
}
