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
use bulkhead_lab::{Link, LinkOptions, LinkReport, Namespace};
use rustix::process::Signal;

use super::imposed::{Imposed, Keeping};
use super::weather::{Place, Weather};

/// Name of the link.
const NAME: &str = "storm";
/// Set in the process that was started anew in a user namespace.
const INSIDE: &str = "BULKHEAD_PROVE_IN_USER_NAMESPACE";
/// Time for a command of the box.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
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

    /// Imposes the weather and looks, by probes of the lab's own, whether it took hold. Whoever needs it
    /// for longer than `keeping` says renews it meanwhile, by [`Imposed::keep`].
    pub(crate) fn impose(
        &self,
        weather: &Weather,
        seed: u64,
        keeping: Keeping,
    ) -> anyhow::Result<Option<Imposed>> {
        let Some(link) = &self.link else { return Ok(None) };
        Imposed::begin(link, weather, seed, keeping).map(Some)
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

/// Now, since 1970.
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
