//! `cargo xtask conformance [--bulkhead PROGRAM] [SUITE…]`: suites of others against Bulkhead. One
//! failure fails it; what was found goes to docs/conformance.md, a section for each suite.

mod autobahn;
mod certificate;
mod clients;
mod connect;
mod grpc_interop;
mod h2spec;
mod netem;
mod toxiproxy;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::connect::stand_in;
use crate::command::{root, target_directory};
use crate::gateway;

/// What became of a suite that found no failure.
enum Outcome {
    /// The text of its section.
    Passed(String),
    /// Why it could not run.
    Skipped(&'static str),
}

/// A suite: it installs itself under `target/`, runs, and says what it found.
struct Suite {
    name: &'static str,
    /// Title of its section.
    title: &'static str,
    run: fn(&Place) -> Result<Outcome>,
}

const SUITES: [Suite; 7] = [
    Suite { name: "h2spec", title: "HTTP/2: h2spec", run: h2spec::run },
    Suite { name: "grpc-interop", title: "gRPC: interop of grpc-go", run: grpc_interop::run },
    Suite {
        name: "connect",
        title: "gRPC, gRPC-Web, Connect: connectconformance",
        run: connect::run,
    },
    Suite { name: "autobahn", title: "WebSocket: Autobahn", run: autobahn::run },
    Suite { name: "clients", title: "Clients: curl, nghttp, h2load, grpcurl", run: clients::run },
    Suite { name: "toxiproxy", title: "Chaos: Toxiproxy", run: toxiproxy::run },
    Suite { name: "netem", title: "Chaos: netem", run: netem::run },
];

/// What a suite is run with.
struct Place {
    /// A directory of its own, which stays.
    scratch: PathBuf,
    /// The `bulkhead` that was named, in place of one built for release.
    named: Option<PathBuf>,
}

impl Place {
    /// The program under test. Built only when a suite asks, which it does when it can run.
    fn bulkhead(&self) -> Result<PathBuf> {
        self.named.clone().map_or_else(gateway::build_release, Ok)
    }
}

const HEAD: &str =
    "# Conformance\n\nWritten by `cargo xtask conformance`, a section by each suite.\n";

/// Runs the suites that are named, or all of them.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (named, names) = match arguments {
        ["--bulkhead", program, names @ ..] => {
            (Some(fs::canonicalize(program).with_context(|| format!("find {program}"))?), names)
        }
        names => (None, names),
    };
    if let Some(unknown) = names.iter().find(|name| SUITES.iter().all(|it| it.name != **name)) {
        bail!(
            "no conformance suite is called `{unknown}`: {}",
            SUITES.map(|it| it.name).join(", ")
        );
    }
    let path = root().join("docs/conformance.md");
    for suite in SUITES.iter().filter(|it| names.is_empty() || names.contains(&it.name)) {
        let scratch = target_directory().join("conformance").join(suite.name);
        fs::create_dir_all(&scratch).context("create the scratch directory")?;
        let place = Place { scratch, named: named.clone() };
        match (suite.run)(&place).with_context(|| format!("suite {}", suite.name))? {
            Outcome::Skipped(why) => println!("{} skipped: {why}", suite.name),
            Outcome::Passed(text) => {
                let page = fs::read_to_string(&path).unwrap_or_default();
                fs::write(&path, with_section(&page, suite.title, &text))
                    .context("write docs/conformance.md")?;
            }
        }
    }
    Ok(())
}

/// The page with one suite's section replaced, in the order of the suites.
fn with_section(page: &str, title: &str, text: &str) -> String {
    let mut out = HEAD.to_owned();
    for suite in &SUITES {
        let heading = format!("\n## {}\n\n", suite.title);
        let old = page
            .split_once(&heading)
            .map(|(_, rest)| rest.find("\n## ").map_or(rest, |end| &rest[..end]));
        if let Some(body) = if suite.title == title { Some(text) } else { old } {
            out.push_str(&heading);
            out.push_str(body);
        }
    }
    out
}

#[cfg(test)]
mod tests;
