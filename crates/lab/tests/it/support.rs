//! Links to test on, where the host lets us make them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{ChaosId, Fault, NetworkFault, Order, Random, Target};
use bulkhead_lab::{
    Evidence, Injector as _, Link, LinkInjector, LinkOptions, Links, Namespace, Surroundings,
};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

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
