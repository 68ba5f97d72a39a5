//! Clients that people have: curl, nghttp, h2load and grpcurl through `bulkhead run`. Each check says
//! what must come, not only that the client was content.

mod curl;
mod grpcurl;
mod nghttp;
mod upstream;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use self::upstream::Upstream;
use super::certificate::Certificate;
use super::{Outcome, Place};
use crate::command::{ended_within, find_program, output};
use crate::gateway::{Guard, free_port};
use crate::go;

/// What one run of a client may take.
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// Uploads are of so many bytes: more than all buffers on the way together.
const FILE_BYTES: u32 = 2 << 20;

/// One run of a client.
struct Check {
    /// What it is about, on the page.
    what: &'static str,
    /// In them stand `{http}`, `{https}`: where the gateway is; `{address}`, `{tls_address}`: the same
    /// without a scheme; `{authority}`: file of the trust anchor; `{file}`: file to upload;
    /// `{answer}`: file for the answer, which must be what was uploaded.
    arguments: &'static [&'static str],
    /// More of them, which other checks have as well.
    shared: &'static [&'static str],
    /// What must be said.
    says: &'static [&'static str],
    /// What must not.
    lacks: &'static [&'static str],
    /// Its exit status.
    exit: i32,
}

impl Check {
    const fn new(
        what: &'static str,
        arguments: &'static [&'static str],
        says: &'static [&'static str],
    ) -> Self {
        Self { what, arguments, shared: &[], says, lacks: &[], exit: 0 }
    }

    const fn with(mut self, shared: &'static [&'static str]) -> Self {
        self.shared = shared;
        self
    }

    const fn without(mut self, lacks: &'static [&'static str]) -> Self {
        self.lacks = lacks;
        self
    }

    const fn ends_with(mut self, exit: i32) -> Self {
        self.exit = exit;
        self
    }
}

/// A client and what is checked with it.
struct Client {
    name: &'static str,
    /// Arguments of every run.
    always: &'static [&'static str],
    /// Argument that makes it tell its version.
    version: &'static str,
    checks: &'static [Check],
}

const CLIENTS: [&Client; 4] = [&curl::CURL, &nghttp::NGHTTP, &nghttp::H2LOAD, &grpcurl::GRPCURL];

pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    let certificate = Certificate::create(scratch)?;
    let found: Vec<(&Client, PathBuf)> = CLIENTS
        .into_iter()
        .filter_map(|client| Some((client, find(client, scratch).transpose()?)))
        .map(|(client, program)| Ok((client, program?)))
        .collect::<Result<_>>()?;
    if found.is_empty() {
        return Ok(Outcome::Skipped("none of curl, nghttp, h2load and grpcurl is installed"));
    }
    let servers = Servers::start(scratch, &place.bulkhead()?, &certificate)?;
    let mut text = String::from(
        "What clients must get through `bulkhead run`, over HTTP/1 and HTTP/2, in cleartext and with \
         TLS, is what they\nget.\n",
    );
    let mut failures = Vec::new();
    for (client, program) in &found {
        let name = client.name;
        for check in client.checks {
            if let Err(error) = servers.check(client, program, check) {
                failures.push(format!("{name}, {}: {error:#}", check.what));
            }
        }
        let checks: Vec<&str> = client.checks.iter().map(|check| check.what).collect();
        text.push_str(&format!(
            "\nBy {}:\n\n- {}\n",
            version(client, program),
            checks.join("\n- ")
        ));
        println!("clients: {} checks with {}", client.checks.len(), version(client, program));
    }
    ensure!(failures.is_empty(), "checks failed:\n{}", failures.join("\n\n"));
    Ok(Outcome::Passed(text))
}

/// The installed program; grpcurl is built if it can be. `None`, with a line that says so: it is not
/// there, or cannot do what is asked of it.
fn find(client: &Client, scratch: &Path) -> Result<Option<PathBuf>> {
    if let Some(program) = find_program(client.name)
        && client.name == curl::CURL.name
        && !output(Command::new(program).arg("--version"))?.contains("HTTP2")
    {
        println!("clients: this curl knows no HTTP/2");
        return Ok(None);
    }
    let ours = scratch.join(client.name);
    if let Some(found) = find_program(client.name).or_else(|| ours.is_file().then(|| ours.clone()))
    {
        return Ok(Some(found));
    }
    if client.name == grpcurl::GRPCURL.name && go::has(scratch, &[grpcurl::PACKAGE]) {
        return Ok(Some(ours));
    }
    println!("clients: {} is not installed", client.name);
    Ok(None)
}

/// Name and version, in the client's own words; from Go's record where it has none.
fn version(client: &Client, program: &Path) -> String {
    let recorded = go::module_version(program).map(|version| format!("{} {version}", client.name));
    let told = || {
        let output = Command::new(program).arg(client.version).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.lines().next()?.split(' ').take(2).collect();
        Some(words.join(" "))
    };
    recorded.or_else(told).unwrap_or_else(|| client.name.to_owned())
}

/// The gateway and what stands behind it.
struct Servers<'a> {
    scratch: &'a Path,
    certificate: &'a Certificate,
    http: u16,
    https: u16,
    _upstream: Upstream,
    _guards: [Guard; 2],
}

impl<'a> Servers<'a> {
    fn start(scratch: &'a Path, bulkhead: &Path, certificate: &'a Certificate) -> Result<Self> {
        let file: Vec<u8> = (0..FILE_BYTES).map(|index| (index % 251).to_le_bytes()[0]).collect();
        fs::write(scratch.join("file"), file).context("write the file to upload")?;
        let upstream = Upstream::start()?;
        let origin = free_port()?;
        let mut command = Command::new(bulkhead);
        command.args(["origin", "--listen", &format!("127.0.0.1:{origin}")]);
        let guard = Guard::start(&command, origin, &scratch.join("origin.log"))?;
        let (http, https) = (free_port()?, free_port()?);
        let text = configuration(http, https, certificate, upstream.port, origin);
        let gateway = Guard::gateway(bulkhead, scratch, "gateway", &text, https)?;
        let _guards = [guard, gateway];
        Ok(Self { scratch, certificate, http, https, _upstream: upstream, _guards })
    }

    fn check(&self, client: &Client, program: &Path, check: &Check) -> Result<()> {
        let (file, answer) = (self.scratch.join("file"), self.scratch.join("answer"));
        let fill = |text: &&str| {
            text.replace("{http}", &format!("http://127.0.0.1:{}", self.http))
                .replace("{https}", &format!("https://localhost:{}", self.https))
                .replace("{address}", &format!("127.0.0.1:{}", self.http))
                .replace("{tls_address}", &format!("localhost:{}", self.https))
                .replace("{authority}", &self.certificate.chain.display().to_string())
                .replace("{file}", &file.display().to_string())
                .replace("{answer}", &answer.display().to_string())
        };
        let mut command = Command::new(program);
        let arguments = || check.shared.iter().chain(check.arguments);
        command.args(client.always.iter().chain(arguments()).map(fill));
        let (status, told) = ended_within(&mut command, CHECK_LIMIT, &self.scratch.join("log"))?;
        let missing = check.says.iter().find(|text| !told.contains(**text));
        let unwanted = check.lacks.iter().find(|text| told.contains(**text));
        match (status.code(), missing, unwanted) {
            (code, ..) if code != Some(check.exit) => bail!("it ended with {status}:\n{told}"),
            (_, Some(text), _) => bail!("it did not say `{text}`:\n{told}"),
            (_, _, Some(text)) => bail!("it said `{text}`:\n{told}"),
            _ => {}
        }
        if arguments().any(|argument| argument.contains("{answer}")) {
            let same = fs::read(&answer)? == fs::read(&file)?;
            ensure!(same, "the answer is not what was uploaded:\n{told}");
            fs::remove_file(&answer)?;
        }
        Ok(())
    }
}

/// `/scripted` goes to our own upstream over HTTP/1.1, the rest to the embedded origin over HTTP/2;
/// below `/http1` as well over HTTP/1.1.
fn configuration(
    http: u16,
    https: u16,
    certificate: &Certificate,
    scripted: u16,
    origin: u16,
) -> String {
    let Certificate { chain, key } = certificate;
    format!(
        "workers: 2\n\
         listeners:\n\
         - {{ address: \"127.0.0.1:{http}\" }}\n\
         - {{ address: \"127.0.0.1:{https}\", tls: {{ certificates: \
         [{{ certificate_file: \"{}\", private_key_file: \"{}\" }}] }} }}\n\
         routes:\n\
         - {{ matches: [{{ path: /scripted }}], backends: [scripted] }}\n\
         - {{ backends: [origin], upgrades: [websocket] }}\n\
         - matches: [{{ path: /http1 }}]\n\
         \x20 filters: [{{ url_rewrite: {{ path: {{ replace_prefix_match: / }} }} }}]\n\
         \x20 backends: [origin1]\n\
         \x20 upgrades: [websocket]\n\
         clusters:\n\
         \x20 scripted: {{ endpoints: [\"127.0.0.1:{scripted}\"] }}\n\
         \x20 origin: {{ endpoints: [\"127.0.0.1:{origin}\"], protocol: http2 }}\n\
         \x20 origin1: {{ endpoints: [\"127.0.0.1:{origin}\"] }}\n",
        chain.display(),
        key.display(),
    )
}
