//! Two namespaces with a pair of veth for netem, and two with a link for the packet box.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{ChaosId, Fault, InterfaceEnd, InterfaceTarget, Order, Random, Target};
use bulkhead_lab::{
    Evidence, GuardianCommand, Handle, Injector, Link, LinkInjector, LinkOptions, Links, Namespace,
    NetemInjector, Refusal, Surroundings,
};

const ADDRESSES: [&str; 2] = ["10.9.0.1", "10.9.0.2"];
const ETHERNET: [&str; 2] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
const NAMES: [&str; 2] = ["near", "far"];
/// How long a step of an injection may take.
const STEP: Duration = Duration::from_secs(20);

/// Where faults are tried.
pub(crate) struct Site {
    client: Namespace,
    server: Namespace,
    pub(crate) link: Arc<Link>,
    links: Links,
}

/// An injection, by whichever carrier.
pub(crate) struct Injection<I> {
    pub(crate) injector: I,
    pub(crate) order: Order,
    pub(crate) handle: Handle,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (client, server) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        let ends = [Arc::new(Namespace::new().unwrap()), Arc::new(Namespace::new().unwrap())];
        let link = Link::between("box", &ends[0], &ends[1], &LinkOptions::default()).unwrap();
        let links = Links::default();
        let link = Arc::new(link);
        links.add(&link);
        let site = Self { client, server, link, links };
        site.join();
        site
    }

    /// With neighbours that need not be asked for, and without IPv6, which speaks by itself.
    fn join(&self) {
        for namespace in [&self.client, &self.server] {
            let off = || std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
            let _ = namespace.enter(off).unwrap();
        }
        let peer = self.server.path().display().to_string();
        let add = format!(
            "link add {} address {} type veth peer name {} address {} netns {peer}",
            NAMES[0], ETHERNET[0], NAMES[1], ETHERNET[1]
        );
        run(&self.client, "ip", &add).unwrap();
        for (end, namespace) in [&self.client, &self.server].into_iter().enumerate() {
            let (name, other) = (NAMES[end], 1 - end);
            for line in [
                format!("addr add {}/24 dev {name}", ADDRESSES[end]),
                format!("link set {name} up"),
                format!(
                    "neigh add {} lladdr {} dev {name} nud permanent",
                    ADDRESSES[other], ETHERNET[other]
                ),
            ] {
                run(namespace, "ip", &line).unwrap();
            }
        }
    }

    /// Sockets at both ends of the pair of veth.
    pub(crate) fn sockets(&self) -> [UdpSocket; 2] {
        connect([(&self.client, ADDRESSES[0]), (&self.server, ADDRESSES[1])])
    }

    /// Sockets at both ends of the link.
    pub(crate) fn link_sockets(&self) -> [UdpSocket; 2] {
        let ends = [self.link.client(), self.link.server()];
        let addresses = ends.map(|end| end.v4.to_string());
        connect([(&ends[0].namespace, &addresses[0]), (&ends[1].namespace, &addresses[1])])
    }

    /// The client's end of the pair, where upstream packets go out.
    pub(crate) fn target(&self) -> InterfaceTarget {
        InterfaceTarget {
            namespace: Some(self.client.path()),
            end: Some(InterfaceEnd::Client),
            ..InterfaceTarget::new(NAMES[0])
        }
    }

    pub(crate) fn prepare(
        &self,
        fault: &str,
        seconds: u64,
    ) -> Result<Injection<NetemInjector>, Refusal> {
        let target = Target::Interface(self.target());
        Injection::prepare(NetemInjector::new(carry_command()), fault, target, seconds)
    }

    pub(crate) fn prepare_box(&self, fault: &str) -> Injection<LinkInjector> {
        let target = Target::Link { name: self.link.name().to_owned() };
        Injection::prepare(LinkInjector::new(self.links.clone()), fault, target, 900).unwrap()
    }

    /// What `tc` finds at the client's end, or is told to do there.
    pub(crate) fn tc(&self, verb: &str, rest: &str) -> String {
        run(&self.client, "tc", &format!("qdisc {verb} dev {} {rest}", NAMES[0])).unwrap()
    }
}

impl<I: Injector> Injection<I> {
    pub(crate) fn prepare(
        injector: I,
        fault: &str,
        target: Target,
        seconds: u64,
    ) -> Result<Self, Refusal> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let seed = COUNT.fetch_add(1, Ordering::Relaxed);
        let unix = unix();
        let order = Order {
            id: ChaosId::new(unix, &mut Random::new(seed)),
            fault: Fault::Network(serde_json::from_str(fault).unwrap()),
            target,
            seed,
            expires_unix_ms: (unix + Duration::from_secs(seconds)).as_millis() as u64,
        };
        let handle = injector.prepare(&order, around())?;
        Ok(Self { injector, order, handle })
    }

    pub(crate) fn inject(&self) {
        self.injector.inject(&self.order, &self.handle, around()).unwrap();
    }

    pub(crate) fn verify(&self) -> Evidence {
        self.injector.verify(&self.order, &self.handle, around()).unwrap()
    }

    pub(crate) fn end(&self) -> Evidence {
        self.injector.revert(&self.order, &self.handle, around()).unwrap();
        self.injector.verify_reverted(&self.order, &self.handle, around()).unwrap()
    }
}

pub(crate) fn carry_command() -> GuardianCommand {
    let program = std::env::current_exe().unwrap().into();
    GuardianCommand { program, arguments: vec!["carry".into()] }
}

fn connect(ends: [(&Namespace, &str); 2]) -> [UdpSocket; 2] {
    let sockets = ends.map(|(namespace, address)| {
        namespace.enter(|| UdpSocket::bind((address, 0)).unwrap()).unwrap()
    });
    sockets[0].connect(sockets[1].local_addr().unwrap()).unwrap();
    sockets[1].connect(sockets[0].local_addr().unwrap()).unwrap();
    sockets
}

fn run(namespace: &Namespace, program: &str, line: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(line.split_whitespace());
    namespace.start_in(&mut command).unwrap();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{program} {line}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn around() -> Surroundings {
    Surroundings { deadline: Instant::now() + STEP, unix: unix() }
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
