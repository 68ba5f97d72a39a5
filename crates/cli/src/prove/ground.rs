//! Where everything stands: without a link, all in the network that we are in; with one, clients and
//! servers in namespaces of their own, and a packet box between them.
//!
//! Commands never cross the link: the box is told over a channel, workers are killed by a call.

use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bulkhead_chaos::{ChaosId, Fault, Order, Random, Target};
use bulkhead_lab::{
    Evidence, Handle, InjectError, Injector as _, Link, LinkInjector, LinkOptions, LinkReport,
    Links, Namespace, Surroundings,
};
use rustix::process::Signal;
use serde::Serialize;

use super::weather::{Place, Weather};

const NAME: &str = "storm";
/// Set in the process that was started anew in a user namespace.
const INSIDE: &str = "BULKHEAD_PROVE_IN_USER_NAMESPACE";
/// Time for a command of the box.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the probes of a verification, on a busy machine too.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Probes that did not come to an end are sent again so often.
const PROBE_ATTEMPTS: usize = 3;
const REMEDY: &str = "links need root, or user namespaces (user.max_user_namespaces, \
     kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns) and \
     /dev/net/tun: allow them, or run without a link: --link none";

/// Who stands where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Clients,
    Gateway,
    Upstreams,
}

/// The networks of a run.
#[derive(Debug)]
pub(crate) struct Ground {
    place: Place,
    link: Option<Arc<Link>>,
}

impl Ground {
    /// Makes namespaces and a link, if one is asked for. Both vanish with this value and its sockets.
    pub(crate) fn make(weather: Option<&Weather>) -> anyhow::Result<Self> {
        let Some(weather) = weather else {
            return Ok(Self { place: Place::None, link: None });
        };
        let make = || {
            let [client, server] = [Arc::new(Namespace::new()?), Arc::new(Namespace::new()?)];
            let congestion_control = weather.congestion_control.clone();
            let kind = weather.kind;
            let options = LinkOptions { congestion_control, kind, ..LinkOptions::default() };
            Link::between(NAME, &client, &server, &options)
        };
        let link = make().with_context(|| match &weather.congestion_control {
            Some(name) => format!(
                "make the link with the congestion control `{name}` (this kernel has: {}); {REMEDY}",
                congestion_controls()
            ),
            None => format!("make the link; {REMEDY}"),
        })?;
        Ok(Self { place: weather.place, link: Some(Arc::new(link)) })
    }

    /// Runs `work` where that party is. Threads, processes and sockets that it makes stay there.
    pub(crate) fn enter<T: Send>(
        &self,
        party: Party,
        work: impl FnOnce() -> T + Send,
    ) -> anyhow::Result<T> {
        match self.namespace(party) {
            Some(namespace) => namespace.enter(work).context("enter a network namespace"),
            None => Ok(work()),
        }
    }

    /// Starts a process where that party is. It ends with the thread that calls this, by `signal`.
    pub(crate) fn spawn(
        &self,
        party: Party,
        mut command: Command,
        signal: Signal,
    ) -> anyhow::Result<Child> {
        if let Some(namespace) = self.namespace(party) {
            namespace.start_in(&mut command)?;
        }
        bulkhead_transport::end_with_thread(&mut command, signal.as_raw());
        command.spawn().context("start a process")
    }

    /// Where that party listens, for those who are to reach it.
    pub(crate) fn address(&self, party: Party) -> Ipv4Addr {
        match (&self.link, self.place, party) {
            (Some(link), Place::Client, Party::Gateway)
            | (Some(link), Place::Upstream, Party::Upstreams) => link.server().v4,
            _ => Ipv4Addr::LOCALHOST,
        }
    }

    /// `None`: the one that we are in.
    fn namespace(&self, party: Party) -> Option<&Namespace> {
        let link = self.link.as_ref()?;
        let end = if self.is_before_link(party) { link.client() } else { link.server() };
        Some(&end.namespace)
    }

    fn is_before_link(&self, party: Party) -> bool {
        match party {
            Party::Clients => true,
            Party::Gateway => self.place == Place::Upstream,
            Party::Upstreams => false,
        }
    }

    /// Imposes the weather and looks, by probes of the lab's own, whether it took hold.
    pub(crate) fn impose(
        &self,
        weather: &Weather,
        seed: u64,
        lasting: Duration,
    ) -> anyhow::Result<Option<Imposed>> {
        let Some(link) = &self.link else { return Ok(None) };
        let links = Links::default();
        links.add(link);
        let mut imposed = Imposed {
            injector: LinkInjector::new(links),
            orders: Vec::new(),
            verified: Probed::default(),
        };
        let (mut random, from) = (Random::new(seed), unix());
        for fault in weather.faults() {
            let order = Order {
                id: ChaosId::new(unix(), &mut random),
                fault: Fault::Network(fault),
                target: Target::Link { name: NAME.to_owned() },
                seed: random.next(),
                expires_unix_ms: (unix() + lasting).as_millis() as u64,
            };
            let handle = imposed.injector.prepare(&order, around(COMMAND_TIMEOUT))?;
            imposed.injector.inject(&order, &handle, around(COMMAND_TIMEOUT))?;
            imposed.orders.push((order, handle));
        }
        imposed.verified = imposed.probe(LinkInjector::verify, from);
        Ok(Some(imposed))
    }

    /// What the box has done so far, and packets that came too fast for it.
    pub(crate) fn count(&self) -> anyhow::Result<Option<Counted>> {
        let Some(link) = &self.link else { return Ok(None) };
        let report = link.report(Instant::now() + COMMAND_TIMEOUT).context("ask the packet box")?;
        let drops = link.device_drops().context("read the drops of the link")?.iter().sum();
        Ok(Some(Counted { report, drops }))
    }

    /// The congestion control of TCP on the link, or of this machine.
    pub(crate) fn congestion_control(&self) -> String {
        match &self.link {
            Some(link) => link.congestion_control().to_owned(),
            None => read_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        }
    }
}

/// Counts of a link.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) report: LinkReport,
    pub(crate) drops: u64,
}

/// What probes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    /// `None`: they came to no end, which says nothing.
    pub(crate) holds: Option<bool>,
    pub(crate) seen: String,
    /// When what they look at was begun, since 1970.
    pub(crate) from: Duration,
    /// When they ended, since 1970.
    pub(crate) until: Duration,
}

impl Probed {
    /// What was to be found, and the details if it was not.
    pub(crate) fn describe(&self, what: &str) -> String {
        match self.holds {
            Some(true) => format!("probes: {what}"),
            Some(false) => format!("probes: not so that {what}: {}", self.seen),
            None => format!("probes came to no end: {}", self.seen),
        }
    }
}

/// A fault of the link, as it was ordered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LinkFault {
    /// Its chaos id.
    pub(crate) id: String,
    pub(crate) fault: Fault,
}

/// Faults that are in force on the link. They end with their time, with the link, or by `revert`.
#[derive(Debug)]
pub(crate) struct Imposed {
    injector: LinkInjector,
    orders: Vec<(Order, Handle)>,
    /// What probes met when it had been imposed.
    pub(crate) verified: Probed,
}

type Look = fn(&LinkInjector, &Order, &Handle, Surroundings) -> Result<Evidence, InjectError>;

impl Imposed {
    /// Takes everything back and looks whether it is gone.
    pub(crate) fn revert(self) -> Probed {
        let from = unix();
        for (order, handle) in &self.orders {
            if let Err(error) = self.injector.revert(order, handle, around(COMMAND_TIMEOUT)) {
                let (holds, seen) = (Some(false), error.to_string());
                return Probed { holds, seen, from, until: unix() };
            }
        }
        self.probe(LinkInjector::verify_reverted, from)
    }

    /// Ids and faults, as they were ordered.
    pub(crate) fn faults(&self) -> Vec<LinkFault> {
        let fault =
            |order: &Order| LinkFault { id: order.id.to_string(), fault: order.fault.clone() };
        self.orders.iter().map(|(order, _)| fault(order)).collect()
    }

    fn probe(&self, look: Look, from: Duration) -> Probed {
        let mut all = Probed { holds: Some(true), from, ..Probed::default() };
        for (order, handle) in &self.orders {
            let one = self.probe_one(look, order, handle);
            all.holds = match (all.holds, one.holds) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            if !all.seen.is_empty() {
                all.seen += "; ";
            }
            all.seen += &format!("{}: {}", order.fault.kind(), one.seen);
        }
        all.until = unix();
        all
    }

    fn probe_one(&self, look: Look, order: &Order, handle: &Handle) -> Probed {
        let mut told = String::new();
        for _ in 0..PROBE_ATTEMPTS {
            match look(&self.injector, order, handle, around(PROBE_TIMEOUT)) {
                Ok(Evidence { holds, seen }) => {
                    return Probed { holds: Some(holds), seen, ..Probed::default() };
                }
                Err(error) => told = error.to_string(),
            }
        }
        Probed { seen: told, ..Probed::default() }
    }
}

/// Starts this program anew in a user namespace, in place of this process, if a link is asked for and
/// we may not make one here. Called before there are other threads.
pub(crate) fn go_where_links_may_be(weather: Option<&Weather>) -> anyhow::Result<()> {
    let may = weather.is_none() || Namespace::new().is_ok();
    if may || std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe().context("find this program")?);
    again.args(std::env::args_os().skip(1)).env(INSIDE, "1");
    bulkhead_transport::start_in_user_namespace(&mut again);
    Err(again.exec()).context(REMEDY)
}

fn congestion_controls() -> String {
    read_line("/proc/sys/net/ipv4/tcp_available_congestion_control")
}

fn read_line(path: &str) -> String {
    std::fs::read_to_string(path)
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn around(timeout: Duration) -> Surroundings {
    Surroundings { deadline: Instant::now() + timeout, unix: unix() }
}

/// Now, since 1970.
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
