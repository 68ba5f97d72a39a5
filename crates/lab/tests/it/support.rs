//! Links to test on, where the host lets us make them.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{ChaosId, Effect, Fault, NetworkFault, Order, Random, Target};
use bulkhead_lab::{
    Evidence, Injector as _, Link, LinkInjector, LinkOptions, Links, Namespace, Surroundings,
};
use bulkhead_transport::start_in_user_namespace;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Set in the process that [`without_root`] starts.
const INSIDE: &str = "BULKHEAD_TEST_IN_USER_NAMESPACE";

/// Runs `work` in a user namespace: the test of this name starts itself anew there.
pub(crate) fn without_root(name: &str, work: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
        assert!(!map.contains("4294967295"), "this is the first user namespace: {map}");
        return work();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    start_in_user_namespace(&mut command);
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}{errors}");
            assert!(text.contains("1 passed"), "{text}");
            eprint!("{errors}");
        }
        Err(error) => eprintln!("skipped: this host has no user namespaces for us: {error}"),
    }
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// `None`, said on standard error, where namespaces cannot be made.
pub(crate) fn link(name: &str, options: &LinkOptions) -> Option<Arc<Link>> {
    let namespaces = (|| Ok([Arc::new(Namespace::new()?), Arc::new(Namespace::new()?)]))();
    match namespaces.and_then(|[client, server]| Link::between(name, &client, &server, options)) {
        Ok(link) => Some(Arc::new(link)),
        Err(error) => {
            let error: bulkhead_lab::NetworkError = error;
            eprintln!("skipped: this host lets us make no links: {error}: {:?}", error.source);
            None
        }
    }
}

pub(crate) fn fault(json: &str) -> NetworkFault {
    serde_json::from_str(json).expect("a fault")
}

/// A fault on a link, as the engine would order it.
pub(crate) struct Injection {
    pub(crate) injector: LinkInjector,
    pub(crate) order: Order,
    handle: serde_json::Value,
}

impl Injection {
    pub(crate) fn new(link: &Arc<Link>, json: &str, time_to_live: Duration) -> Self {
        let links = Links::default();
        links.add(link);
        let injector = LinkInjector::new(links);
        let unix = unix();
        // Seeded by the fault's own text, so that two on one link have different names.
        let seed = json.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        let order = Order {
            id: ChaosId::new(unix, &mut Random::new(seed)),
            fault: Fault::Network(fault(json)),
            target: Target::Link { name: link.name().to_owned() },
            seed,
            expires_unix_ms: (unix + time_to_live).as_millis() as u64,
        };
        let handle = injector.prepare(&order, around()).expect("prepare");
        Self { injector, order, handle }
    }

    pub(crate) fn inject(&self) {
        self.injector.inject(&self.order, &self.handle, around()).expect("inject");
    }

    pub(crate) fn verify(&self) -> Evidence {
        self.injector.verify(&self.order, &self.handle, around()).expect("verify")
    }

    pub(crate) fn effect(&self) -> Option<Effect> {
        self.injector.effect(&self.order, &self.handle, around())
    }

    pub(crate) fn revert(&self) {
        self.injector.revert(&self.order, &self.handle, around()).expect("revert");
    }

    pub(crate) fn verify_reverted(&self) -> Evidence {
        self.injector.verify_reverted(&self.order, &self.handle, around()).expect("look again")
    }
}

pub(crate) fn around() -> Surroundings {
    Surroundings { deadline: deadline(), unix: unix() }
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970")
}
