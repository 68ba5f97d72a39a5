//! What is ordered: fault, target and blast radius, from arguments or a file.

mod interface;

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use bulkhead_chaos::{Fault, FaultKind, InjectRequest, NamedTarget, ProcessName, TimeToLive};
use serde_json::{Value, json};

use interface::InterfaceArgs;

/// An order to a lab.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["fault", "file"])))]
#[command(group(clap::ArgGroup::new("where").args([
    "pid", "pid_file", "command", "port", "gateway", "link", "interface", "host",
])))]
pub(super) struct OrderArgs {
    /// What is to be broken
    #[arg(value_name = "FAULT", requires = "where", value_parser = declaration)]
    fault: Option<Fault>,
    /// A whole order in JSON, as POST /v1/inject takes it; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["where", "ttl", "seed", "label"])]
    file: Option<PathBuf>,
    /// Target: a process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Target: the process whose number is in a file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Target: the process of a program, if it is the only one
    #[arg(long, value_name = "NAME")]
    command: Option<String>,
    /// Target: the process that listens on a TCP port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Target: a gateway, by the address of its admin server
    #[arg(long, value_name = "ADDR")]
    gateway: Option<SocketAddr>,
    /// Target: a link that the lab holds; see `chaos link`
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    #[command(flatten)]
    interface: InterfaceArgs,
    /// Target: this machine
    #[arg(long)]
    host: bool,
    /// Labels of the target; environment=production needs an approval
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// When it ends by itself, at most 15m [default: 60s]
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeToLive>,
    /// Everything random is drawn from it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl OrderArgs {
    /// The order, as the API takes it.
    pub(super) fn request(&self) -> anyhow::Result<InjectRequest<NamedTarget>> {
        match &self.file {
            Some(path) => from_file(path),
            None => from_arguments(self),
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("expected is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn from_file(path: &PathBuf) -> anyhow::Result<InjectRequest<NamedTarget>> {
    let what = || format!("read `{}`", path.display());
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).with_context(what)?;
    } else {
        text = std::fs::read_to_string(path).with_context(what)?;
    }
    serde_json::from_str(&text).with_context(what)
}

fn from_arguments(args: &OrderArgs) -> anyhow::Result<InjectRequest<NamedTarget>> {
    let fault = args.fault.clone().context("name a fault")?;
    let target = if let Some(pid) = args.pid {
        // As it is now, whatever becomes of its number on the way to the lab. Of one that is not there the
        // lab says so.
        let unknown = || ProcessName { pid: Some(pid), ..ProcessName::default() };
        bulkhead_lab::process_target(pid)
            .map_or_else(|_| NamedTarget::Process(unknown()), NamedTarget::from)
    } else if let Some(admin) = args.gateway {
        NamedTarget::Gateway { admin }
    } else if let Some(name) = args.link.clone() {
        NamedTarget::Link { name }
    } else if let Some(target) = args.interface.target() {
        NamedTarget::Interface(target)
    } else if args.host {
        NamedTarget::Host
    } else {
        NamedTarget::Process(ProcessName {
            pid_file: args.pid_file.as_deref().map(std::path::absolute).transpose()?,
            command: args.command.clone(),
            port: args.port,
            ..ProcessName::default()
        })
    };
    let mut request = InjectRequest::new(fault, target);
    request.labels = args.label.iter().cloned().collect();
    request.seed = args.seed;
    request.ttl = args.ttl.unwrap_or_default();
    Ok(request)
}

/// `process.stop`, or JSON. What is wrong is told with a declaration that would do.
fn declaration(text: &str) -> Result<Fault, String> {
    let is_json = text.trim_start().starts_with('{');
    let document: Value = if is_json {
        serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?
    } else {
        let known = FaultKind::named(text).ok_or("no kind is called so; see `chaos kinds`")?;
        let (family, kind) = known.name.split_once('.').ok_or("a kind has a family")?;
        json!({ family: kind })
    };
    serde_json::from_value(document.clone()).map_err(|error| {
        let meant = if is_json { kind_of(&document) } else { FaultKind::named(text) };
        match meant {
            Some(kind) if is_json => format!("{error}; for instance \'{}\'", kind.example),
            Some(kind) => format!("a name is not enough; for instance \'{}\'", kind.example),
            None => format!("{error}; see `chaos kinds`"),
        }
    })
}

/// Which kind this was meant to be.
fn kind_of(document: &Value) -> Option<&'static FaultKind> {
    let (family, inner) = document.as_object()?.iter().next()?;
    let mut names = inner.as_object()?.keys();
    names.find_map(|name| FaultKind::named(&format!("{family}.{name}")))
}

#[cfg(test)]
mod tests {
    use super::{declaration, label};

    #[test]
    fn faults_are_kinds_or_json() {
        assert_eq!(declaration("process.stop").unwrap().kind(), "process.stop");
        let json = r#"{"gateway": {"kill_worker": {"worker": 1}}}"#;
        assert_eq!(declaration(json).unwrap().kind(), "gateway.kill_worker");
    }

    #[test]
    fn what_is_no_fault_is_told_with_what_would_be_one() {
        for (wrong, told) in [
            ("", "chaos kinds"),
            ("stop", "chaos kinds"),
            ("process.stpo", "chaos kinds"),
            ("gateway.kill_worker", r#"'{"gateway": {"kill_worker": {"worker": 0}}}'"#),
            ("{", "no JSON"),
            ("{}", "chaos kinds"),
            (r#"{"http": {"abort": {"status": 503}}}"#, "missing field `percent`; for instance"),
            (r#"{"host": {"cpu": {"thread": 1}}}"#, "unknown field `thread`"),
            (r#"{"netwrok": {"loss": {}}}"#, "unknown variant `netwrok`"),
        ] {
            let error = declaration(wrong).unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn labels_have_names() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(label("=b").is_err() && label("b").is_err());
    }
}
