//! Carriers of faults at interfaces that exist already, each in a network namespace of the test's own.

mod crash;
mod holder;
mod laws;
mod netem;
mod refusals;
mod veth;

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{
    CarrierChoice, ChaosId, Effect, Fault, InterfaceTarget, Order, Random, Target,
};
use bulkhead_lab::{
    Bpf, Evidence, Handle, Injector as _, InterfaceInjector, LinkInjector, Links, Namespace,
    NetemInjector, NetworkInjector, Nftables, Refusal, strikes_in_kernel,
};

use crate::support::{PATIENCE, around, fault};

/// The carriers that strike what comes in at interfaces.
const CARRIERS: [CarrierChoice; 2] = [CarrierChoice::Nftables, CarrierChoice::Bpf];

/// All carriers, as `chaos serve` has them.
fn injector() -> NetworkInjector {
    NetworkInjector::new()
        .with(LinkInjector::new(Links::default()))
        .with(InterfaceInjector::new(Bpf))
        .with(InterfaceInjector::new(Nftables))
        .with(NetemInjector::new(netem::carry_command()))
}

/// A fault at an interface.
struct Strike {
    injector: NetworkInjector,
    order: Order,
    handle: Handle,
}

impl Strike {
    fn prepare(target: InterfaceTarget, json: &str, time: Duration) -> Result<Self, Refusal> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let seed = COUNT.fetch_add(1, Ordering::Relaxed) + (u64::from(std::process::id()) << 32);
        let order = Order {
            id: ChaosId::new(unix, &mut Random::new(seed)),
            fault: Fault::Network(fault(json)),
            target: Target::Interface(target),
            seed: 7,
            expires_unix_ms: (unix + time).as_millis() as u64,
        };
        let injector = injector();
        let handle = injector.prepare(&order, around())?;
        Ok(Self { injector, order, handle })
    }

    /// In force. `None`, said on standard error: this host does not let the carrier in.
    fn begin(target: InterfaceTarget, json: &str, time: Duration) -> Option<Self> {
        let carrier = target.carrier;
        match Self::prepare(target, json, time) {
            Ok(strike) => {
                strike.injector.inject(&strike.order, &strike.handle, around()).unwrap();
                Some(strike)
            }
            Err(refusal) if refusal.reason.contains("the kernel does not let") => {
                eprintln!("skipped: {carrier:?}: {refusal}");
                None
            }
            Err(refusal) => panic!("{carrier:?}: {refusal}"),
        }
    }

    fn verify(&self) -> Evidence {
        self.injector.verify(&self.order, &self.handle, around()).unwrap()
    }

    fn end(&self) -> Evidence {
        self.injector.revert(&self.order, &self.handle, around()).unwrap();
        self.injector.verify_reverted(&self.order, &self.handle, around()).unwrap()
    }
}

/// Packets of others alone, and only once.
#[test]
fn packets_that_are_lost_are_counted_without_the_labs_probes() {
    let Some(namespace) = namespace() else { return };
    for carrier in CARRIERS {
        let pair = Pair::new(&namespace, "127.0.0.1", "127.0.0.1");
        let target = loopback(&namespace, carrier, Some(pair.port()));
        let cut = r#"{"partition": {"direction": "upstream"}}"#;
        let Some(strike) = Strike::begin(target, cut, PATIENCE) else { continue };
        let effect = || strike.injector.effect(&strike.order, &strike.handle, around());
        // Asked without the injector, as a bench does.
        let in_kernel =
            || namespace.enter(|| strikes_in_kernel(carrier, "lo").unwrap().len()).unwrap();
        assert_eq!(in_kernel(), 1, "{carrier:?}");
        assert!(strike.verify().holds);
        assert!(pair.up(5).is_empty());
        assert!(strike.verify().holds);
        let gone = strike.end();
        assert!(gone.holds, "{}", gone.seen);
        assert_eq!(effect(), Some(Effect { hits: 5, seen: 5 }), "{carrier:?}: {}", gone.seen);
        assert_eq!(effect(), None, "it is forgotten");
        assert_eq!(in_kernel(), 0, "{carrier:?}");
        assert!(strike.end().holds);
    }
}

/// `None`, said on standard error, where namespaces cannot be made.
fn namespace() -> Option<Namespace> {
    Namespace::new()
        .inspect_err(|error| eprintln!("skipped: no namespaces here: {error}: {:?}", error.source))
        .ok()
}

/// The loopback interface of a namespace, and there a UDP server's port.
fn loopback(namespace: &Namespace, carrier: CarrierChoice, port: Option<u16>) -> InterfaceTarget {
    let mut target = InterfaceTarget::new("lo");
    target.namespace = Some(namespace.path());
    target.carrier = carrier;
    if port.is_some() {
        target.scope.protocol = Some(bulkhead_chaos::Transport::Udp);
        target.scope.server_port = port;
    }
    target
}

/// Two sockets that talk to each other.
struct Pair {
    client: UdpSocket,
    server: UdpSocket,
}

impl Pair {
    /// At these addresses of the namespace.
    fn new(namespace: &Namespace, client: &str, server: &str) -> Self {
        Self::between((namespace, client), (namespace, server))
    }

    fn between(client: (&Namespace, &str), server: (&Namespace, &str)) -> Self {
        let open = |(namespace, address): (&Namespace, &str)| {
            let socket = namespace.enter(|| UdpSocket::bind((address, 0)).unwrap()).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            socket
        };
        let (client, server) = (open(client), open(server));
        client.connect(server.local_addr().unwrap()).unwrap();
        server.connect(client.local_addr().unwrap()).unwrap();
        Self { client, server }
    }

    fn port(&self) -> u16 {
        self.server.local_addr().map(|it: SocketAddr| it.port()).unwrap()
    }

    /// Which of so many packets arrive upstream.
    fn up(&self, count: u32) -> Vec<u32> {
        send(&self.client, &self.server, count)
    }

    /// Downstream.
    fn down(&self, count: u32) -> Vec<u32> {
        send(&self.server, &self.client, count)
    }
}

/// Sends numbered packets and returns the numbers that arrive, in turns, so that no buffer is full. The
/// last turn ends when nothing came for a while.
fn send(from: &UdpSocket, to: &UdpSocket, count: u32) -> Vec<u32> {
    let mut arrived = Vec::new();
    let mut take = |wait: bool| {
        to.set_nonblocking(!wait).unwrap();
        let mut bytes = [0; 4];
        while to.recv(&mut bytes).is_ok() {
            arrived.push(u32::from_ne_bytes(bytes));
        }
    };
    for number in 0..count {
        from.send(&number.to_ne_bytes()).unwrap();
        if number % 16 == 0 {
            take(false);
        }
    }
    take(true);
    arrived
}

/// Until packets pass (or none does), no longer than a test may wait.
fn await_passing(pair: &Pair, wanted: bool) {
    let until = Instant::now() + PATIENCE;
    while pair.up(1).is_empty() == wanted {
        assert!(Instant::now() < until, "packets pass: {}", !wanted);
    }
}

/// Whether a count among so many is one of a share, but for once in a milliard.
fn is_share(count: usize, of: u32, share: f64) -> bool {
    let (of, count) = (f64::from(of), count as f64);
    (count - of * share).abs() < 6.2 * (of * share * (1.0 - share)).sqrt() + 13.0
}
