//! `bulkhead run`: the gateway, its control plane, and the signals that end them.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bulkhead_config::{Checked, Config};
use bulkhead_control::{AdminOptions, Applied, ConfigSource, Control, ControlOptions};
use bulkhead_gateway::{Gateway, GatewayOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::args::RunArgs;
use crate::config_file;
use crate::log::Log;
use crate::plane::GatewayPlane;

pub(crate) fn execute(args: RunArgs) -> Result<ExitCode> {
    let log = Log::new(args.log_level, args.log_format);
    log.take_panics();
    // Before anything is opened: a signal that comes early must not be lost.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1]).context("watch for signals")?;
    let (sender, happenings) = channel();
    forward(signals, sender.clone())?;

    let applied = configuration(&args)?;
    for warning in &applied.warnings {
        log.warn(warning);
    }
    let config = with_overrides(applied.config.clone(), &args);
    raise_open_files(&config, log);
    let (drain_timeout, admin) = (config.limits.drain_timeout, config.admin.clone());
    let options =
        GatewayOptions { tls_key_log: args.tls_key_log.clone(), ..GatewayOptions::default() };
    if let Some(path) = &args.tls_key_log {
        log.warn(&format!(
            "the secrets of all TLS sessions are written to `{}`: whoever reads that file can read \
             all traffic; never use `--tls-key-log` in production",
            path.display()
        ));
    }
    let gateway = Gateway::start(config, options).context("start the gateway")?;
    let plane = Arc::new(GatewayPlane { gateway });
    let admin =
        admin.map(|admin| AdminOptions { address: admin.address, faults: args.allow_faults });
    if let Some(admin) = admin.filter(|admin| !admin.address.ip().is_loopback()) {
        log.warn(&format!("admin server on {}: not only this machine may ask it", admin.address));
    }
    let options = ControlOptions { admin, lookup: None };
    let control =
        Control::start(options, applied, Arc::<GatewayPlane>::clone(&plane), move |event| {
            log.write(event.level(), &event.to_string());
        })
        .context("start the control plane")?;
    log.info(&ready_line(&plane.gateway));

    Ok(serve(&happenings, &sender, &plane, &control, drain_timeout, log))
}

/// What the main thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    Signal(i32),
    /// The gateway has drained; whether nothing was cut off.
    Drained(bool),
}

/// Waits for signals until the gateway has ended.
fn serve(
    happenings: &Receiver<Happening>,
    sender: &Sender<Happening>,
    plane: &Arc<GatewayPlane>,
    control: &Control,
    drain_timeout: Duration,
    log: Log,
) -> ExitCode {
    let mut draining = false;
    while let Ok(happening) = happenings.recv() {
        match happening {
            Happening::Signal(SIGHUP) => control.reload(),
            Happening::Signal(SIGUSR1) => plane.gateway.reopen_log(),
            Happening::Signal(_) if draining => {
                log.warn("second signal: stopping at once");
                // Not by returning: that would wait for the workers.
                std::process::exit(1);
            }
            Happening::Signal(_) => {
                draining = true;
                log.info(&format!(
                    "draining: requests in flight have {} s; another signal stops at once",
                    drain_timeout.as_secs_f32()
                ));
                control.drain();
                let (plane, sender) = (Arc::clone(plane), sender.clone());
                std::thread::spawn(move || {
                    let whole = plane.gateway.drain(drain_timeout);
                    // The main thread waits for nothing else.
                    let _ = sender.send(Happening::Drained(whole));
                });
            }
            Happening::Drained(true) => {
                log.info("drained");
                return ExitCode::SUCCESS;
            }
            Happening::Drained(false) => {
                log.warn("drain time-out: what was still in flight was cut off");
                return ExitCode::SUCCESS;
            }
        }
    }
    ExitCode::FAILURE
}

/// A thread of its own turns signals into [`Happening`]s.
fn forward(mut signals: Signals, sender: Sender<Happening>) -> Result<()> {
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if sender.send(Happening::Signal(signal)).is_err() {
                    return;
                }
            }
        })
        .context("start a thread for signals")?;
    Ok(())
}

/// The configuration that the command line asks for, as it will be told to the control plane.
fn configuration(args: &RunArgs) -> Result<Applied> {
    if let Some(path) = &args.config {
        let source = ConfigSource { path: path.clone(), parse: config_file::parse };
        let text = source.read().with_context(|| {
            format!(
                "read configuration `{}` (`--listen` and `--upstream` need none)",
                path.display()
            )
        })?;
        let file = path.display().to_string();
        let Checked { config, warnings } = match config_file::check(&text, &file) {
            Ok(checked) => checked,
            Err(diagnostics) => bail!("the configuration cannot be used\n\n{diagnostics}"),
        };
        return Ok(Applied {
            config,
            revision: 1,
            warnings: warnings.iter().map(ToString::to_string).collect(),
            origin: file,
            source: Some((source, text)),
        });
    }
    let (Some(listen), Some(upstream)) = (args.listen, &args.upstream) else {
        bail!("name a configuration with `--config`, or `--listen` and `--upstream`");
    };
    let config = Config::quick(listen, upstream, args.workers)?;
    let origin = "command line".to_owned();
    Ok(Applied { config, revision: 1, warnings: Vec::new(), origin, source: None })
}

/// What the command line says goes before what the file says.
fn with_overrides(mut config: Config, args: &RunArgs) -> Config {
    if args.workers.is_some() {
        config.workers = args.workers;
    }
    if let Some(address) = args.admin {
        config.admin = Some(bulkhead_config::model::Admin { address });
    }
    config
}

fn ready_line(gateway: &Gateway) -> String {
    let listeners: Vec<String> = gateway
        .addresses()
        .into_iter()
        .map(|(name, address)| format!("`{name}` on {address}"))
        .collect();
    let workers = gateway.workers().len();
    let plural = if workers == 1 { "" } else { "s" };
    format!("ready: {} with {workers} worker{plural}", listeners.join(", "))
}

/// Each connection downstream needs a file descriptor, and about one more upstream. The usual soft
/// limit of 1,024 is for programs that use `select`; we may raise it to the hard limit.
fn raise_open_files(config: &Config, log: Log) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force =
        if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let wanted = config.limits.connections_max as u64 * 2;
    if let Some(in_force) = in_force.filter(|in_force| *in_force < wanted) {
        log.write(
            bulkhead_control::Level::Debug,
            &format!(
                "{in_force} open files are allowed, {wanted} are needed for \
                 `limits.connections_max` connections; `ulimit -Hn` raises it"
            ),
        );
    }
}

#[cfg(test)]
mod tests;
