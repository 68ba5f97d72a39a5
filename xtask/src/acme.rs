//! `cargo xtask acme`: certificates for `bulkhead run` from pebble, the test server of Let's Encrypt,
//! by each kind of challenge. Where there is no Go to build it with, says so and does nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::command::{find_program, output, target_directory};
use crate::gateway::{Guard, admin_page, build_debug, free_port};
use crate::go;

const PEBBLE: &str = "github.com/letsencrypt/pebble/v2";
/// Looks, a quarter of a second apart, until a certificate is to be served.
const POLLS: usize = 240;

/// Runs all three challenges.
pub(crate) fn run() -> Result<()> {
    let Some(go) = go::find() else {
        println!("acme skipped: there is no Go to build pebble with");
        return Ok(());
    };
    let scratch = target_directory().join("acme");
    fs::create_dir_all(&scratch).context("create the scratch directory")?;
    let tools = Tools::install(&go, &scratch)?;
    let bulkhead = build_debug()?;
    for challenge in ["http-01", "tls-alpn-01", "dns-01"] {
        obtain(&tools, &bulkhead, &scratch, challenge)
            .with_context(|| format!("obtain a certificate by {challenge}"))?;
        println!("acme: {challenge} ok");
    }
    Ok(())
}

struct Tools {
    pebble: PathBuf,
    dns: PathBuf,
    /// Certificates of pebble itself, from its module.
    certificates: PathBuf,
}

impl Tools {
    fn install(go: &Path, scratch: &Path) -> Result<Self> {
        let (pebble, dns) = (scratch.join("pebble"), scratch.join("pebble-challtestsrv"));
        if !pebble.is_file() || !dns.is_file() {
            let version = |tool: &str| format!("{PEBBLE}/cmd/{tool}@latest");
            go::install(go, scratch, &[&version("pebble"), &version("pebble-challtestsrv")])
                .context("build pebble")?;
        }
        // Where its sources are is written into the program.
        let version = go::module_version(&pebble).context("find pebble's version")?;
        let cache = output(Command::new(go).args(["env", "GOMODCACHE"]))?;
        let sources = Path::new(cache.trim()).join(format!("{PEBBLE}@{version}"));
        Ok(Self { pebble, dns, certificates: sources.join("test/certs") })
    }
}

fn obtain(tools: &Tools, bulkhead: &Path, scratch: &Path, challenge: &str) -> Result<()> {
    let directory = scratch.join(challenge);
    // What an earlier run obtained must not be found.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).context("create a directory")?;
    let ports = Ports {
        http: free_port()?,
        tls: free_port()?,
        admin: free_port()?,
        acme: free_port()?,
        dns: free_port()?,
        dns_control: free_port()?,
    };
    let dns_control = ports.dns_control.to_string();
    let log = directory.join("dns.log");
    let mut command = Command::new(&tools.dns);
    command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]);
    command.args(["-defaultIPv6", "", "-dnsserver", &format!("127.0.0.1:{}", ports.dns)]);
    command.args(["-management", &format!("127.0.0.1:{dns_control}")]);
    let _dns = Guard::start(&command, ports.dns_control, &log)?;

    let mut pebble = start_pebble(tools, &directory, &ports)?;
    let text = configuration(tools, &directory, challenge, &ports)?;
    let mut gateway = Guard::gateway(bulkhead, &directory, "gateway", &text, ports.admin)?;
    for _ in 0..POLLS {
        if admin_page(ports.admin, "/metrics")?.contains("bulkhead_certificates 1") {
            return check(&directory, ports.tls);
        }
        ensure!(gateway.is_running() && pebble.is_running(), "a server ended");
        sleep(Duration::from_millis(250));
    }
    bail!(
        "no certificate came; the gateway said\n{}",
        fs::read_to_string(directory.join("gateway.log"))?
    )
}

struct Ports {
    http: u16,
    tls: u16,
    admin: u16,
    acme: u16,
    dns: u16,
    dns_control: u16,
}

fn start_pebble(tools: &Tools, directory: &Path, ports: &Ports) -> Result<Guard> {
    let config = json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{}", ports.acme),
        "managementListenAddress": format!("127.0.0.1:{}", free_port()?),
        "certificate": tools.certificates.join("localhost/cert.pem"),
        "privateKey": tools.certificates.join("localhost/key.pem"),
        "httpPort": ports.http,
        "tlsPort": ports.tls,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "keyAlgorithm": "ecdsa",
        "retryAfter": { "authz": 1, "order": 1 },
        "profiles": { "default": { "description": "for a test", "validityPeriod": 7_776_000 } },
    }});
    let file = directory.join("pebble.json");
    fs::write(&file, config.to_string()).context("write pebble's configuration")?;
    let log = directory.join("pebble.log");
    let mut command = Command::new(&tools.pebble);
    // It waits, and refuses good nonces, at random: the second is left on.
    command.env("PEBBLE_VA_NOSLEEP", "1");
    command.arg("-config").arg(&file).args(["-strict", "-dnsserver"]);
    command.arg(format!("127.0.0.1:{}", ports.dns));
    Guard::start(&command, ports.acme, &log)
}

fn configuration(
    tools: &Tools,
    directory: &Path,
    challenge: &str,
    ports: &Ports,
) -> Result<String> {
    let hook = directory.join("hook.sh");
    let text = format!(
        "#!/bin/sh\n\
         case \"$1\" in\n\
         present) call=set-txt; value=\",\\\"value\\\":\\\"$ACME_VALUE\\\"\" ;;\n\
         *) call=clear-txt; value= ;;\n\
         esac\n\
         exec curl -sf -d \"{{\\\"host\\\":\\\"$ACME_RECORD.\\\"$value}}\" \
         http://127.0.0.1:{}/$call\n",
        ports.dns_control
    );
    fs::write(&hook, text).context("write the hook")?;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700))?;
    let wildcard = if challenge == "dns-01" { ", \"*.acme.test\"" } else { "" };
    let Ports { http, tls, admin, acme, .. } = ports;
    Ok(format!(
        "workers: 1\n\
         admin: {{ address: \"127.0.0.1:{admin}\" }}\n\
         listeners:\n\
         - {{ address: \"127.0.0.1:{http}\" }}\n\
         - {{ address: \"127.0.0.1:{tls}\", tls: {{ acme: true }} }}\n\
         routes: [{{ backends: [one] }}]\n\
         clusters: {{ one: {{ endpoints: [\"127.0.0.1:9\"] }} }}\n\
         acme:\n\
         \x20 directory: https://localhost:{acme}/dir\n\
         \x20 terms_of_service_agreed: true\n\
         \x20 domains: [[acme.test{wildcard}]]\n\
         \x20 challenge: {challenge}\n\
         \x20 dns_hook: {}\n\
         \x20 dns_wait: 0s\n\
         \x20 storage: {}\n\
         \x20 ca_file: {}\n",
        hook.display(),
        directory.join("storage").display(),
        tools.certificates.join("pebble.minica.pem").display(),
    ))
}

/// The files are nobody else's, and a handshake gets the certificate.
fn check(directory: &Path, port: u16) -> Result<()> {
    let file = directory.join("storage/certificates/acme.test.pem");
    let mode = fs::metadata(&file).context("look at the certificate's file")?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "`{}` has mode {mode:o}", file.display());
    let Some(curl) = find_program("curl") else { return Ok(()) };
    let told = output(Command::new(curl).args([
        "-skv",
        "--connect-to",
        &format!("acme.test:443:127.0.0.1:{port}"),
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "https://acme.test/",
    ]))?;
    // The upstream is nobody: what counts is that the handshake was good.
    ensure!(told.trim() == "502" || told.trim() == "503", "the answer's status is {told}");
    Ok(())
}
