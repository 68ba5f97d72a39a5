//! `bulkhead run`: the gateway, its control plane, and the signals that end them.

mod channel;
mod inheritance;
mod notify;
mod pid_file;
mod serve;
mod successor;
mod supervise;
mod watchdog;

pub(crate) use pid_file::read as read_pid_file;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};

use anyhow::{Context, Result, bail};
use bulkhead_config::{Checked, Config};
use bulkhead_control::{AdminOptions, Applied, ConfigSource, Control, ControlOptions, Event};
use bulkhead_gateway::{Gateway, GatewayOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::args::RunArgs;
use crate::config_file;
use crate::log::Log;
use crate::plane::GatewayPlane;
use channel::Message;
use inheritance::{Estate, Inheritance, Origin};
use notify::Notifier;
use pid_file::PidFile;
use serve::{Happening, Service, Upgraded};
use successor::Executable;

pub(crate) fn execute(args: RunArgs) -> Result<ExitCode> {
    let log = Log::new(args.log_level, args.log_format);
    log.take_panics();
    let executable = Executable::of_process().context("find the own executable")?;
    let inheritance = Inheritance::take()?;
    if args.supervise && matches!(inheritance.origin, Origin::Anybody) {
        return supervise::execute(&args, executable, inheritance.offer, log);
    }
    // Before anything is opened: a signal that comes early must not be lost.
    let signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]).context("watch for signals")?;
    let (sender, happenings) = channel();
    forward(signals, sender.clone())?;
    let (service, origin) = start(&args, executable, inheritance, &sender, log)?;
    // A supervisor has a file of its own.
    let own_file = args.pid_file.as_ref().filter(|_| service.supervisor.is_none());
    let _pid_file = own_file.map(|path| write_pid_file(path)).transpose()?;
    log.info(&ready_line(&service.plane.gateway));
    // In this order: if nobody is there any more to be told, nothing was accepted in vain.
    announce(&service, &origin)?;
    service.plane.gateway.accept();
    Ok(service.run(&happenings))
}

/// Starts the gateway and its control plane; nothing is accepted yet.
fn start(
    args: &RunArgs,
    executable: Executable,
    inheritance: Inheritance,
    sender: &Sender<Happening>,
    log: Log,
) -> Result<(Service, Origin)> {
    let Inheritance { origin, offer } = inheritance;
    let mut estate = Estate::of(offer)?;
    let applied = configuration(args)?;
    for warning in &applied.warnings {
        log.warn(warning);
    }
    let config = with_overrides(applied.config.clone(), args);
    raise_open_files(&config, log);
    let (drain_timeout, admin) = (config.limits.drain_timeout, config.admin.clone());
    let options = GatewayOptions {
        sockets: std::mem::take(&mut estate.sockets),
        ticketer: estate.ticketer.take(),
        tls_key_log: args.tls_key_log.clone(),
        held: true,
        ..GatewayOptions::default()
    };
    warn_of_key_log(args, log);
    let gateway = Gateway::start(config, options).context("start the gateway")?;
    for name in unclaimed(&gateway) {
        log.warn(&format!("no listener is for the passed socket `{name}`: it was closed"));
    }
    let plane = Arc::new(GatewayPlane::new(gateway, args.workers, asking(sender.clone())));
    let reloadable = applied.source.is_some();
    let control =
        start_control(args, applied, &plane, admin.as_ref(), &mut estate, sender.clone(), log)?;
    let supervisor = match &origin {
        Origin::Supervisor(channel) => Some(Arc::clone(channel)),
        _ => None,
    };
    let notifier = Arc::new(match &supervisor {
        Some(channel) => Notifier::Supervisor(Arc::clone(channel)),
        None => Notifier::from_environment(),
    });
    let service = Service {
        plane,
        control,
        log,
        notifier,
        executable,
        admin: admin.map(|admin| admin.address.to_string()),
        supervisor,
        drain_timeout,
        upgrade_timeout: args.upgrade_timeout,
        reloadable,
        sender: sender.clone(),
    };
    Ok((service, origin))
}

fn warn_of_key_log(args: &RunArgs, log: Log) {
    if let Some(path) = &args.tls_key_log {
        log.warn(&format!(
            "the secrets of all TLS sessions are written to `{}`: whoever reads that file can read \
             all traffic; never use `--tls-key-log` in production",
            path.display()
        ));
    }
}

fn start_control(
    args: &RunArgs,
    applied: Applied,
    plane: &Arc<GatewayPlane>,
    admin: Option<&bulkhead_config::model::Admin>,
    estate: &mut Estate,
    sender: Sender<Happening>,
    log: Log,
) -> Result<Control> {
    let admin_socket =
        admin.and_then(|admin| estate.take_admin(&admin.address.to_string())).map(Arc::new);
    let admin = admin.map(|admin| AdminOptions {
        address: admin.address,
        faults: args.allow_faults,
        readiness_clusters: admin.readiness_clusters.clone(),
    });
    if let Some(admin) = admin.as_ref().filter(|admin| !admin.address.ip().is_loopback()) {
        log.warn(&format!("admin server on {}: not only this machine may ask it", admin.address));
    }
    if args.allow_faults && admin.is_none() {
        log.warn(
            "`--allow-faults` has no effect, as there is no admin server to ask for them: give \
             `--admin 127.0.0.1:9901`, or `admin` in the configuration",
        );
    }
    let options = ControlOptions { admin, admin_socket, lookup: None };
    Control::start(options, applied, Arc::<GatewayPlane>::clone(plane), move |event| {
        log.write(event.level(), &event.to_string());
        let sockets_may_differ = matches!(
            event,
            Event::ConfigApplied { .. }
                | Event::ConfigRejected { .. }
                | Event::WorkersResized { .. }
        );
        if sockets_may_differ {
            // The main thread ends last.
            let _ = sender.send(Happening::Reloaded);
        }
    })
    .context("start the control plane")
}

/// Tells whoever waits that this process serves.
fn announce(service: &Service, origin: &Origin) -> Result<()> {
    let status = serve::status(&service.plane);
    match origin {
        Origin::Anybody => service.notifier.tell(&format!("READY=1\n{status}")),
        // It tells the service manager itself: only the main process is believed.
        Origin::Predecessor(channel) => channel
            .send(&Message::Ready)
            .context("the process before this one is gone: it was told to stop, most likely")?,
        Origin::Supervisor(channel) => {
            service.offer().and_then(|offer| offer.send(channel)).context("tell the supervisor")?;
            channel.send(&Message::Ready).context("tell the supervisor")?;
            service.notifier.tell(&status);
            serve::heed(Arc::clone(channel), service.sender.clone())?;
        }
    }
    let variable = |name| std::env::var(name).ok();
    let ours = matches!(origin, Origin::Predecessor(_) | Origin::Supervisor(_))
        || variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    if let Some(every) = watchdog::interval(variable("WATCHDOG_USEC").as_deref()).filter(|_| ours) {
        watchdog::start(every, Arc::downgrade(&service.plane), Arc::clone(&service.notifier));
    }
    Ok(())
}

fn write_pid_file(path: &Path) -> Result<PidFile> {
    PidFile::write(path).with_context(|| format!("write the process id to `{}`", path.display()))
}

/// How the admin server asks the main thread for an upgrade.
fn asking(sender: Sender<Happening>) -> impl Fn() -> Upgraded + Send + Sync {
    move || {
        let (asker, answer) = sync_channel(1);
        let gone = |_| "this process is ending".to_owned();
        sender.send(Happening::Upgrade(asker)).map_err(|_| "this process is ending".to_owned())?;
        answer.recv().map_err(gone)?
    }
}

/// Names of passed sockets that nobody wanted, each once.
fn unclaimed(gateway: &Gateway) -> std::collections::BTreeSet<&str> {
    gateway.unclaimed().iter().map(String::as_str).collect()
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
        let readiness_clusters =
            config.admin.take().map(|admin| admin.readiness_clusters).unwrap_or_default();
        config.admin = Some(bulkhead_config::model::Admin { address, readiness_clusters });
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
