//! The project's chores, run as `cargo xtask NAME`: what CI runs, side-by-side benchmarks,
//! conformance. Nothing of this is part of the product.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks")]

mod acme;
mod bench;
mod chaostoolkit;
mod check;
mod command;
mod conformance;
mod differential;
mod docs;
mod fuzz_smoke;
mod gateway;
mod go;
mod markers;
mod python;
mod simulate;
mod soak;
mod tidy;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  check [--no-test]       what a change must pass: fmt, tidy, clippy, doc, deny, test
  tidy                    the layout's rules alone: arrows, names, lengths, bans, links
  bench peers [OPTIONS]   CPU per request, latency and memory beside other gateways
      --quick             one short round, results kept out of the repository
      --rounds N          rounds of each scenario, interleaved (3)
      --seconds N         length of a measurement (3)
      --only NAMES        these peers, by comma
      --scenario NAMES    these scenarios, by comma
      --install           install what is missing (apt-get, pip, cargo, go; under target/bench)
  bench load [OPTIONS]    CPU per request and memory of `bulkhead load` beside other load generators;
                          the same options
  bench stall [--dry]     what is told of a target that stalls, by theory, `bulkhead load` and wrk;
                          writes it into docs/load.md, or with --dry nowhere
  bench overload          goodput at 0.8, 1, 2 and 5 times the capacity of an upstream, with and without
                          limits, beside HAProxy and Envoy; writes it into docs/overload.md
  bench link [--dry]      what the packet box of the chaos lab moves, at what cost, how true to what was
                          asked; writes it into docs/chaos-network.md, or with --dry nowhere
  bench idle [OPTIONS]    memory, CPU and latency with 100 and 10,000 idle connections, beside HAProxy,
                          nginx and Envoy; the options of `bench peers`; writes it into docs/idle.md
  bench certificates      10,000 certificates: start, memory, handshakes, and renewing one of them, beside
                          HAProxy and nginx; writes it into docs/idle.md
  conformance [SUITE…]    suites of others against Bulkhead: h2spec, grpc-interop, connect, autobahn,
                          clients, toxiproxy; all unless named
      --bulkhead PROGRAM  first: this program, in place of one built for release
  acme                    certificates from pebble, by each kind of challenge
  chaostoolkit            experiments through Chaos Toolkit and through ours; writes docs/chaos-formats.md
  differential            smuggling payloads through chains of Bulkhead with nginx, HAProxy and hyper
  simulate [SECONDS] [SEED]
                          the data plane on a simulated clock and network, seed after seed (60)
      --plan FILE         struck by this experiment, not by those that the seeds give
  soak [OPTIONS]          mixed load while files, certificates, endpoints and workers come and go
      --minutes N         how long (1); or --seconds N
      --seed N            everything random is drawn from it (from the clock)
      --rate N            requests per second (300)
      --binary FILE       this bulkhead, not one that is built for release first
      --json FILE         the result, with the memory of each second
  fuzz-smoke [SECONDS] [TARGET…]
                          each fuzz target, or these, for so long (20)
  docs                    regenerate references and JSON Schemas: configuration, scenarios, experiments
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words.is_empty() || wants_help(&words) {
        print!("{HELP}");
        return Ok(());
    }
    match words.as_slice() {
        ["check", rest @ ..] => check::run(rest),
        ["tidy"] => tidy::run(),
        ["bench", "peers", rest @ ..] => bench::run(rest),
        ["bench", "load", rest @ ..] => bench::generators::run(rest),
        ["bench", "overload", rest @ ..] => bench::overload::run(rest),
        ["bench", "idle", rest @ ..] => bench::idle::run(rest),
        ["bench", "certificates", rest @ ..] => bench::certificates::run(rest),
        ["bench", "stall", rest @ ..] => bench::stall::run(rest),
        ["bench", "link", rest @ ..] => bench::link::run(rest),
        ["acme"] => acme::run(),
        ["conformance", suites @ ..] => conformance::run(suites),
        ["chaostoolkit"] => chaostoolkit::run(),
        // What `connectconformance` starts as its client or server; nobody else would.
        ["stand-in", rest @ ..] => conformance::stand_in(rest),
        ["differential"] => differential::run(),
        ["simulate", rest @ ..] => simulate::run(rest),
        ["fuzz-smoke", rest @ ..] => fuzz_smoke::run(rest),
        ["soak", rest @ ..] => soak::run(rest),
        ["docs", rest @ ..] => docs::run(rest),
        other => bail!("unknown command `{}`\n\n{HELP}", other.join(" ")),
    }
}

/// Whether it is asked for, of whatever command: all of it is told in one text.
fn wants_help(words: &[&str]) -> bool {
    words.first() == Some(&"help") || words.iter().any(|word| matches!(*word, "--help" | "-h"))
}

#[cfg(test)]
mod tests {
    use super::wants_help;

    #[test]
    fn help_is_for_every_command() {
        for line in ["help", "-h", "soak --help", "bench peers --quick -h", "fuzz-smoke 3 --help"] {
            assert!(wants_help(&line.split(' ').collect::<Vec<_>>()), "{line}");
        }
        assert!(!wants_help(&["soak", "--minutes", "1"]) && !wants_help(&[]));
    }
}
