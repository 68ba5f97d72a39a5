//! What `connectconformance` starts in place of a server or a client: the suite's own, with a gateway
//! before it. Both are told by messages on standard input where to go, so these are changed under way.
//!
//! Each program that is started ends with us, and we end by the SIGTERM of the suite.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io::{stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};

use anyhow::{Context as _, Result, bail, ensure};

use super::wire::{self, Message};
use crate::gateway::{Guard, ending_with_us, free_port};

/// Fields of `ServerCompatRequest`, from the server's point of view.
mod server_request {
    pub(super) const PROTOCOL: u64 = 1;
    pub(super) const HTTP_VERSION: u64 = 2;
    pub(super) const USE_TLS: u64 = 4;
    pub(super) const CLIENT_CERTIFICATE: u64 = 5;
    pub(super) const CREDENTIALS: u64 = 7;
}

/// Fields of `ServerCompatResponse`.
mod server_response {
    pub(super) const HOST: u64 = 1;
    pub(super) const PORT: u64 = 2;
    pub(super) const CERTIFICATE: u64 = 3;
}

/// Fields of `ClientCompatRequest`.
mod client_request {
    pub(super) const HTTP_VERSION: u64 = 2;
    pub(super) const PORT: u64 = 7;
    pub(super) const SERVER_CERTIFICATE: u64 = 8;
    pub(super) const CREDENTIALS: u64 = 9;
}

const PROTOCOL_GRPC: u64 = 2;
const HTTP_VERSION_2: u64 = 2;

/// What lies between client and server, by the name that it has on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Requests go on in the version of HTTP in which they come.
    Same,
    /// They go on over HTTP/2.
    Http2,
    /// They go on over HTTP/2, and gRPC-Web as gRPC.
    Translated,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Http2 => "http2",
            Self::Translated => "translated",
        }
    }

    fn named(name: &str) -> Result<Self> {
        let all = [Self::Same, Self::Http2, Self::Translated];
        all.into_iter().find(|way| way.name() == name).context("no such way")
    }
}

/// `stand-in server WAY PROGRAM BULKHEAD DIRECTORY` or
/// `stand-in client CERTIFICATE KEY PROGRAM BULKHEAD DIRECTORY`.
pub(crate) fn stand_in(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["server", way, program, bulkhead, directory] => {
            serve(Way::named(way)?, program, Path::new(bulkhead), Path::new(directory))
        }
        ["client", certificate, key, program, bulkhead, directory] => {
            let pem = Pem { certificate: certificate.into(), key: key.into() };
            call(&pem, program, Path::new(bulkhead), Path::new(directory))
        }
        _ => bail!("this is started by the conformance suite"),
    }
}

/// Files with a certificate and its key.
struct Pem {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pem {
    /// Writes what is in a message of the type `TLSCreds`.
    fn write(credentials: &[u8], directory: &Path, name: &str) -> Result<Self> {
        let credentials = Message::decode(credentials)?;
        let write =
            |field, kind| write(credentials.bytes(field), directory, &format!("{name}-{kind}"));
        Ok(Self { certificate: write(1, "certificate")?, key: write(2, "key")? })
    }

    fn yaml(&self) -> String {
        format!(
            "{{ certificate_file: \"{}\", private_key_file: \"{}\" }}",
            self.certificate.display(),
            self.key.display()
        )
    }
}

fn write(bytes: &[u8], directory: &Path, name: &str) -> Result<PathBuf> {
    let path = directory.join(format!("{name}.pem"));
    fs::write(&path, bytes).context("write a certificate")?;
    Ok(path)
}

fn serve(way: Way, program: &str, bulkhead: &Path, directory: &Path) -> Result<()> {
    let asked = wire::read(&mut stdin())?.context("read what is asked for")?;
    let (mut server, upstream) = start_server(way, program, &asked)?;
    let port = free_port()?;
    let name = format!("server-{}", id());
    let mut listener = String::new();
    if asked.number(server_request::USE_TLS) != 0 {
        let pem = Pem::write(asked.bytes(server_request::CREDENTIALS), directory, &name)?;
        let clients = asked.bytes(server_request::CLIENT_CERTIFICATE);
        let clients = (!clients.is_empty())
            .then(|| write(clients, directory, &format!("{name}-clients")))
            .transpose()?;
        listener = listener_tls(&pem, clients.as_deref());
    }
    let is_http2 = way != Way::Same || asked.number(server_request::HTTP_VERSION) == HTTP_VERSION_2;
    let filters = if way == Way::Translated { ", filters: [{ grpc_web: {} }]" } else { "" };
    let log = directory.join(format!("{name}.access.log"));
    let text = configuration(&log, port, &listener, filters, upstream, protocol(is_http2), "");
    let _gateway = Guard::gateway(bulkhead, directory, &name, &text, port)?;

    let mut answer = Message::default();
    answer.set_bytes(server_response::HOST, b"127.0.0.1");
    answer.set_number(server_response::PORT, u64::from(port));
    let credentials = Message::decode(asked.bytes(server_request::CREDENTIALS))?;
    if asked.number(server_request::USE_TLS) != 0 {
        answer.set_bytes(server_response::CERTIFICATE, credentials.bytes(1));
    }
    wire::write(&mut stdout(), &answer)?;
    server.wait().context("wait for the server")?;
    Ok(())
}

/// The suite's server, in cleartext since TLS ends at the gateway, and its port.
fn start_server(way: Way, program: &str, asked: &Message) -> Result<(Child, u64)> {
    use server_request::{CLIENT_CERTIFICATE, CREDENTIALS, HTTP_VERSION, PROTOCOL, USE_TLS};
    let mut request = asked.clone();
    for field in [USE_TLS, CLIENT_CERTIFICATE, CREDENTIALS] {
        request.remove(field);
    }
    if way != Way::Same {
        request.set_number(HTTP_VERSION, HTTP_VERSION_2);
    }
    if way == Way::Translated {
        request.set_number(PROTOCOL, PROTOCOL_GRPC);
    }
    let mut server = ending_with_us(&Command::new(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the server")?;
    wire::write(server.stdin.as_mut().context("find its input")?, &request)?;
    let output = server.stdout.as_mut().context("find its output")?;
    let answer = wire::read(output)?.context("the server did not start")?;
    Ok((server, answer.number(server_response::PORT)))
}

fn call(pem: &Pem, program: &str, bulkhead: &Path, directory: &Path) -> Result<()> {
    let mut client = ending_with_us(&Command::new(program))
        .stdin(Stdio::piped())
        .spawn()
        .context("start the client")?;
    let mut gateways = HashMap::new();
    let mut to = client.stdin.take().context("find its input")?;
    let certificate = fs::read(&pem.certificate).context("read the certificate")?;
    while let Some(mut request) = wire::read(&mut stdin())? {
        let server = request.number(client_request::PORT);
        let (port, _) = match gateways.entry(server) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => place.insert(before(&request, pem, bulkhead, directory)?),
        };
        request.set_number(client_request::PORT, u64::from(*port));
        if !request.bytes(client_request::SERVER_CERTIFICATE).is_empty() {
            request.set_bytes(client_request::SERVER_CERTIFICATE, &certificate);
        }
        wire::write(&mut to, &request)?;
    }
    drop(to);
    let status = client.wait().context("wait for the client")?;
    ensure!(status.success(), "the client ended with {status}");
    Ok(())
}

/// A gateway before the server that this request is for: all requests for it are alike in TLS and
/// version.
fn before(request: &Message, pem: &Pem, bulkhead: &Path, directory: &Path) -> Result<(u16, Guard)> {
    use client_request::{CREDENTIALS, HTTP_VERSION, PORT, SERVER_CERTIFICATE};
    let port = free_port()?;
    let name = format!("client-{}-{}", id(), request.number(PORT));
    let (mut listener, mut cluster) = (String::new(), String::new());
    let server = request.bytes(SERVER_CERTIFICATE);
    if !server.is_empty() {
        let authority = write(server, directory, &format!("{name}-server"))?;
        let credentials = request.bytes(CREDENTIALS);
        let client = (!credentials.is_empty())
            .then(|| Pem::write(credentials, directory, &name))
            .transpose()?;
        listener = listener_tls(pem, client.as_ref().map(|it| it.certificate.as_path()));
        let client =
            client.map_or_else(String::new, |it| format!(", client_certificate: {}", it.yaml()));
        cluster = format!(", tls: {{ ca_file: \"{}\"{client} }}", authority.display());
    }
    let protocol = protocol(request.number(HTTP_VERSION) == HTTP_VERSION_2);
    let log = directory.join(format!("{name}.access.log"));
    let text = configuration(&log, port, &listener, "", request.number(PORT), protocol, &cluster);
    Ok((port, Guard::gateway(bulkhead, directory, &name, &text, port)?))
}

fn listener_tls(pem: &Pem, clients: Option<&Path>) -> String {
    let clients = clients.map_or_else(String::new, |file| {
        format!(", client_certificates: {{ ca_file: \"{}\" }}", file.display())
    });
    format!(", tls: {{ certificates: [{}]{clients} }}", pem.yaml())
}

fn protocol(is_http2: bool) -> &'static str {
    if is_http2 { "http2" } else { "http1" }
}

/// One route for everything. What is added begins with a comma.
fn configuration(
    log: &Path,
    port: u16,
    listener: &str,
    route: &str,
    upstream: u64,
    protocol: &str,
    cluster: &str,
) -> String {
    format!(
        "workers: 1\n\
         listeners: [{{ address: \"127.0.0.1:{port}\"{listener} }}]\n\
         routes: [{{ backends: [one]{route} }}]\n\
         clusters: {{ one: {{ endpoints: [\"127.0.0.1:{upstream}\"], protocol: {protocol}{cluster} }} }}\n\
         access_log: {{ file: \"{}\" }}\n",
        log.display()
    )
}
