//! The gRPC project's interoperability cases: client and server of grpc-go, with and without Bulkhead
//! in between, in cleartext and with TLS on both sides.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::certificate::Certificate;
use super::{Outcome, Place};
use crate::command::run_within;
use crate::gateway::{Guard, free_port};
use crate::go;

const CLIENT: &str = "google.golang.org/grpc/interop/client@latest";
const SERVER: &str = "google.golang.org/grpc/interop/server@latest";

/// Every case of the client that needs no credentials of a cloud.
const CASES: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

/// Cases that ask for tokens of Google's cloud.
const IN_A_CLOUD: [&str; 7] = [
    "compute_engine_creds",
    "service_account_creds",
    "jwt_token_creds",
    "per_rpc_creds",
    "oauth2_auth_token",
    "google_default_credentials",
    "compute_engine_channel_credentials",
];

/// The server of grpc-go does not tell its name, for which this case asks.
const NOT_OF_THIS_SERVER: [&str; 1] = ["pick_first_unary"];

/// As in grpc-go's own script: with it the client looks at reports of load (ORCA).
const SERVICE_CONFIG: &str =
    r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// What one case may take: the longest takes about ten seconds.
const CASE_LIMIT: Duration = Duration::from_secs(60);

/// From the client to the server.
struct Way {
    port: u16,
    /// With Bulkhead in between.
    through: bool,
    tls: bool,
}

pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    if !go::has(scratch, &[CLIENT, SERVER]) {
        return Ok(Outcome::Skipped(
            "it takes Go, and its module proxy, to build client and server",
        ));
    }
    let certificate = Certificate::create(scratch)?;
    let (client, server) = (scratch.join("client"), scratch.join("server"));
    none_is_forgotten(&client)?;
    let bulkhead = place.bulkhead()?;
    let cleartext = Pair::start(scratch, &bulkhead, &server, None)?;
    let tls = Pair::start(scratch, &bulkhead, &server, Some(&certificate))?;
    let mut failures = Vec::new();
    for case in CASES {
        for way in cleartext.ways(false).into_iter().chain(tls.ways(true)) {
            if let Err(error) = run_case(scratch, &client, &certificate, case, &way) {
                let Way { through, tls, .. } = way;
                failures.push(format!("{case}, through: {through}, TLS: {tls}: {error:#}"));
            }
        }
    }
    ensure!(failures.is_empty(), "cases failed:\n{}", failures.join("\n"));
    println!("grpc-interop: {} cases in cleartext and with TLS, all passed", CASES.len());
    let version = go::module_version(&client).context("find the client's version")?;
    Ok(Outcome::Passed(page(&version)))
}

/// The client's own list must hold nothing but what is known here.
fn none_is_forgotten(client: &Path) -> Result<()> {
    let told =
        Command::new(client).arg("-help").output().context("ask the client for its cases")?;
    let known: Vec<&str> = CASES.into_iter().chain(IN_A_CLOUD).chain(NOT_OF_THIS_SERVER).collect();
    let help = String::from_utf8_lossy(&told.stderr);
    let forgotten: Vec<&str> = cases(&help).filter(|case| !known.contains(case)).collect();
    ensure!(forgotten.is_empty(), "the client knows more cases: {}", forgotten.join(", "));
    Ok(())
}

/// Names of cases, as the client's help lists them.
fn cases(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split_once("Valid options are:\n").map_or("", |(_, list)| list);
    list.lines()
        .take_while(|line| line.starts_with([' ', '\t']))
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .filter(|name| !name.contains(' '))
}

/// A server and a gateway before it. With a certificate there is TLS on both sides of the gateway.
struct Pair {
    direct: u16,
    through: u16,
    _guards: [Guard; 2],
}

impl Pair {
    fn start(
        scratch: &Path,
        bulkhead: &Path,
        server: &Path,
        certificate: Option<&Certificate>,
    ) -> Result<Self> {
        let (direct, through) = (free_port()?, free_port()?);
        let name = if certificate.is_some() { "tls" } else { "cleartext" };
        let mut command = Command::new(server);
        command.arg("-port").arg(direct.to_string());
        if let Some(Certificate { chain, key }) = certificate {
            command.arg("-use_tls").arg("-tls_cert_file").arg(chain).arg("-tls_key_file").arg(key);
        }
        let server = Guard::start(&command, direct, &scratch.join(format!("{name}-server.log")))?;
        let text = configuration(direct, through, certificate);
        let gateway = Guard::gateway(bulkhead, scratch, name, &text, through)?;
        Ok(Self { direct, through, _guards: [server, gateway] })
    }

    fn ways(&self, tls: bool) -> [Way; 2] {
        [
            Way { port: self.direct, through: false, tls },
            Way { port: self.through, through: true, tls },
        ]
    }
}

fn configuration(direct: u16, through: u16, certificate: Option<&Certificate>) -> String {
    let (mut listener, mut cluster) = (String::new(), String::new());
    if let Some(Certificate { chain, key }) = certificate {
        let (chain, key) = (chain.display(), key.display());
        listener = format!(
            ", tls: {{ certificates: [{{ certificate_file: \"{chain}\", \
             private_key_file: \"{key}\" }}] }}"
        );
        cluster = format!(", tls: {{ ca_file: \"{chain}\", server_name: localhost }}");
    }
    format!(
        "workers: 2\n\
         listeners: [{{ address: \"127.0.0.1:{through}\"{listener} }}]\n\
         routes: [{{ backends: [one] }}]\n\
         clusters: {{ one: {{ endpoints: [\"127.0.0.1:{direct}\"], protocol: http2{cluster} }} }}\n"
    )
}

fn run_case(
    scratch: &Path,
    client: &Path,
    certificate: &Certificate,
    case: &str,
    way: &Way,
) -> Result<()> {
    let mut command = Command::new(client);
    command.args(["-server_host", "localhost", "-server_port", &way.port.to_string()]);
    command.args(["-test_case", case, "-service_config_json", SERVICE_CONFIG]);
    if way.tls {
        command.args(["-use_tls", "-use_test_ca", "-ca_file"]).arg(&certificate.chain);
    }
    // Its limits of time are those of a machine that does nothing else.
    command.args(["-soak_iterations", "50", "-soak_overall_timeout_seconds", "50"]);
    command.args(["-soak_per_iteration_max_acceptable_latency_ms", "10000"]);
    run_within(&mut command, CASE_LIMIT, &scratch.join("client.log"))
}

fn page(version: &str) -> String {
    let mut text = format!(
        "Client and server of grpc-go {version} (`google.golang.org/grpc/interop`), both ways with and without\n\
         `bulkhead run` in between; TLS is on both sides of it. Left out: `{}`,\nwhich this server \
         fails by itself, and what needs credentials of a cloud:\n{}.\n\n\
         | case | direct | through | direct, TLS | through, TLS |\n|---|---|---|---|---|\n",
        NOT_OF_THIS_SERVER.join("`, `"),
        IN_A_CLOUD.map(|case| format!("`{case}`")).join(", ")
    );
    for case in CASES {
        text.push_str(&format!("| `{case}` | passed | passed | passed | passed |\n"));
    }
    text
}

#[cfg(test)]
mod tests;
