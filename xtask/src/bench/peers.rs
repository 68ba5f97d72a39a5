//! Who takes part: how each proxy is configured for a scenario and started.

use std::path::PathBuf;
use std::process::Command;

use super::install::Programs;
use super::process::with_descriptors;
use super::scenarios::{Scenario, Traffic};

/// How a proxy is told what to do.
#[derive(Clone, Debug)]
enum Setup {
    /// A template in `bench/configs`, and the arguments around the rendered file.
    File { template: &'static str, before: &'static [&'static str], after: &'static [&'static str] },
    /// Arguments alone: listen address, upstream address, protocol.
    Arguments { protocol: &'static str },
    /// No proxy: the load goes to the upstream itself.
    Direct,
}

/// One way of doing a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Name on the command line and in the tables.
    pub(crate) name: &'static str,
    /// What differs from the others.
    pub(crate) note: &'static str,
    program: PathBuf,
    setup: Setup,
}

/// Names in the order of the tables.
pub(crate) const NAMES: [&str; 9] = [
    "bulkhead",
    "bulkhead-uncached",
    "before",
    "haproxy",
    "nginx",
    "envoy",
    "caddy",
    "go",
    "upstream alone",
];

/// Who can do this scenario, of those that are installed.
pub(crate) fn of(scenario: &Scenario, programs: &Programs) -> Vec<Peer> {
    NAMES
        .into_iter()
        .filter(|name| scenario.admits(name))
        .filter_map(|name| {
            let (setup, note) = setup(name, scenario)?;
            let program = match setup {
                Setup::Direct => PathBuf::new(),
                _ => programs.path(name)?,
            };
            Some(Peer { name, note, program, setup })
        })
        .collect()
}

fn setup(name: &str, scenario: &Scenario) -> Option<(Setup, &'static str)> {
    let http1 = scenario.traffic == Traffic::Http1;
    let file = |template| file(name, template);
    // For HTTP/1.1, for HTTP/2 and gRPC, and the same two with tokens.
    let by_kind = |[plain1, plain2, jwt1, jwt2]: [&'static str; 4]| match (scenario.jwt, http1) {
        (true, true) => jwt1,
        (true, false) => jwt2,
        (false, true) => plain1,
        (false, false) => plain2,
    };
    Some(match name {
        "bulkhead" | "before" => {
            let template = by_kind([
                "bulkhead-http1.yaml",
                "bulkhead-http2.yaml",
                "bulkhead-http1-jwt.yaml",
                "bulkhead-jwt.yaml",
            ]);
            let note = if scenario.jwt { "verified tokens cached" } else { "" };
            (file(template), note)
        }
        "bulkhead-uncached" if scenario.jwt => {
            let note = "each token verified, as HAProxy 2.6 does";
            let template =
                by_kind(["", "", "bulkhead-http1-jwt-uncached.yaml", "bulkhead-jwt-uncached.yaml"]);
            (file(template), note)
        }
        "haproxy" => {
            let template = by_kind([
                "haproxy-http1.cfg",
                "haproxy-http2.cfg",
                "haproxy-http1-jwt.cfg",
                "haproxy-jwt.cfg",
            ]);
            let note = if scenario.jwt { "has no cache of tokens" } else { "" };
            (file(template), note)
        }
        "envoy" => {
            let template = by_kind([
                "envoy-http1.yaml",
                "envoy-http2.yaml",
                "envoy-http1-jwt.yaml",
                "envoy-jwt.yaml",
            ]);
            let note = if scenario.jwt { "verified tokens cached" } else { "" };
            (file(template), note)
        }
        // These need a module for tokens that is not part of them.
        "nginx" | "caddy" | "go" if scenario.jwt => return None,
        "nginx" => match scenario.traffic {
            Traffic::Http1 => (file("nginx-http1.conf"), ""),
            Traffic::Http2 => (file("nginx-http2.conf"), "HTTP/1.1 to the upstream"),
            Traffic::Grpc => (file("nginx-grpc.conf"), "grpc_pass"),
        },
        "caddy" => {
            let template = by_kind(["caddy-http1.caddyfile", "caddy-http2.caddyfile", "", ""]);
            (file(template), "")
        }
        "go" => {
            let protocol = if http1 { "http1" } else { "http2" };
            (Setup::Arguments { protocol }, "net/http/httputil")
        }
        "upstream alone" => (Setup::Direct, "no proxy: what load and upstream reach"),
        _ => return None,
    })
}

/// A proxy that takes a file: the arguments around it. With one worker, in the foreground.
fn file(name: &str, template: &'static str) -> Setup {
    let (before, after): (&[_], &[_]) = match name {
        "bulkhead" | "bulkhead-uncached" | "before" => (&["run", "--config"], &[]),
        "haproxy" => (&["-db", "-f"], &[]),
        "envoy" => {
            let after = &["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"];
            (&["-c"], after)
        }
        "caddy" => (&["run", "--adapter", "caddyfile", "--config"], &[]),
        _ => (&["-c"], &[]),
    };
    Setup::File { template, before, after }
}

impl Peer {
    /// One with a template of its own, if it is installed.
    pub(crate) fn with_template(
        name: &'static str,
        template: &'static str,
        programs: &Programs,
    ) -> Option<Self> {
        let program = programs.path(name)?;
        Some(Self { name, note: "", program, setup: file(name, template) })
    }

    /// Is there a proxy at all?
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.setup, Setup::Direct)
    }

    /// The template in `bench/configs`, if it takes a file.
    pub(crate) fn template(&self) -> Option<&'static str> {
        match self.setup {
            Setup::File { template, .. } => Some(template),
            Setup::Arguments { .. } | Setup::Direct => None,
        }
    }

    /// The command that starts it on CPU 0. `config` is the rendered template.
    pub(crate) fn command(&self, config: &std::path::Path, port: u16, upstream: u16) -> Command {
        let mut command = with_descriptors("exec \"$@\"");
        command.args(["taskset", "-c", "0"]).arg(&self.program);
        // For Go's run time, and ignored by the others: one thread runs Go code.
        command.env("GOMAXPROCS", "1");
        match &self.setup {
            Setup::File { before, after, .. } => command.args(*before).arg(config).args(*after),
            Setup::Arguments { protocol } => command
                .arg(format!("127.0.0.1:{port}"))
                .arg(format!("127.0.0.1:{upstream}"))
                .arg(protocol),
            Setup::Direct => &mut command,
        };
        command
    }
}
