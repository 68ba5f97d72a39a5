//! The servers of a chain: how each is configured, started, and where it writes down what it saw.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::logs::Writer;
use crate::command::find_program;
use crate::gateway::{Guard, free_port};

/// What can stand in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bulkhead,
    Nginx,
    Haproxy,
    /// HAProxy that speaks HTTP/2 to its upstream.
    HaproxyHttp2,
    Hyper,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bulkhead => "Bulkhead",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::HaproxyHttp2 => "HAProxy (HTTP/2 behind)",
            Self::Hyper => "hyper",
        }
    }

    pub(super) const fn writer(self) -> Writer {
        match self {
            Self::Bulkhead => Writer::Bulkhead,
            Self::Nginx | Self::Haproxy | Self::HaproxyHttp2 => Writer::Proxy,
            Self::Hyper => Writer::Hyper,
        }
    }
}

/// The programs that were found or built.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) bulkhead: PathBuf,
    pub(super) hyper: PathBuf,
}

impl Programs {
    /// Its program, if it is installed.
    pub(super) fn path(&self, kind: Kind) -> Option<PathBuf> {
        match kind {
            Kind::Bulkhead => Some(self.bulkhead.clone()),
            Kind::Hyper => Some(self.hyper.clone()),
            Kind::Nginx => find_program("nginx"),
            Kind::Haproxy | Kind::HaproxyHttp2 => find_program("haproxy"),
        }
    }
}

/// A server that runs.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) port: u16,
    /// Where it writes down what it saw.
    pub(super) log: PathBuf,
    guard: Guard,
}

impl Server {
    /// Starts one in `directory`, in front of `upstream` if it has one.
    pub(super) fn start(
        programs: &Programs,
        kind: Kind,
        upstream: Option<u16>,
        directory: &Path,
    ) -> Result<Self> {
        fs::create_dir_all(directory).context("create the server's directory")?;
        let port = free_port()?;
        let program = programs.path(kind).context("it is not installed")?;
        let output = directory.join("output.log");
        let access = directory.join("access.log");
        let upstream_text = upstream.map(|port| format!("127.0.0.1:{port}")).unwrap_or_default();
        let mut command = Command::new(program);
        let log = match kind {
            Kind::Hyper => {
                command.arg(format!("127.0.0.1:{port}"));
                command.args(upstream.map(|_| &upstream_text));
                output.clone()
            }
            Kind::Bulkhead => {
                let config =
                    write(directory, "bulkhead.yaml", &bulkhead(port, &upstream_text, &access))?;
                command.args(["run", "--config"]).arg(config);
                access
            }
            Kind::Nginx => {
                let config =
                    write(directory, "nginx.conf", &nginx(port, &upstream_text, directory))?;
                command.arg("-c").arg(config);
                access
            }
            Kind::Haproxy | Kind::HaproxyHttp2 => {
                let protocol = if kind == Kind::HaproxyHttp2 { "proto h2" } else { "" };
                let config = haproxy(port, &upstream_text, protocol);
                command.arg("-f").arg(write(directory, "haproxy.cfg", &config)?);
                output.clone()
            }
        };
        let guard = Guard::start(&command, port, &output)?;
        Ok(Self { kind, port, log, guard })
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.guard.is_running()
    }
}

fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// No retries: what one request becomes on the other side is to be seen once.
fn bulkhead(port: u16, upstream: &str, access: &Path) -> String {
    format!(
        "workers: 1\n\
         listeners: [{{ address: \"127.0.0.1:{port}\" }}]\n\
         routes: [{{ backends: [one], retry: {{ attempts: 0 }}, timeouts: {{ request: 3s }} }}]\n\
         clusters: {{ one: {{ endpoints: [\"{upstream}\"], ejection: off }} }}\n\
         access_log: {{ file: \"{}\" }}\n",
        access.display()
    )
}

fn nginx(port: u16, upstream: &str, directory: &Path) -> String {
    let at = directory.display();
    format!(
        "worker_processes 1;\ndaemon off;\npid {at}/nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         log_format seen '$request_method $request_uri $status $upstream_addr';\n\
         access_log {at}/access.log seen;\n\
         client_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
         upstream one {{ server {upstream} max_fails=0; keepalive 8; }}\n\
         server {{\nlisten 127.0.0.1:{port};\nlocation / {{\n\
         proxy_pass http://one;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
         proxy_next_upstream off;\nproxy_read_timeout 3s;\n}}\n}}\n}}\n"
    )
}

fn haproxy(port: u16, upstream: &str, protocol: &str) -> String {
    format!(
        "global\n    nbthread 1\n    maxconn 256\n    no strict-limits\n    \
         log stdout format raw local0\n\
         defaults\n    mode http\n    log global\n    option dontlognull\n    retries 0\n    \
         timeout client 3s\n    timeout server 3s\n    timeout connect 3s\n    http-reuse always\n\
         frontend fe\n    bind 127.0.0.1:{port}\n    \
         log-format \"%HM %HU %ST %b/%s\"\n    default_backend be\n\
         backend be\n    server one {upstream} {protocol}\n"
    )
}
