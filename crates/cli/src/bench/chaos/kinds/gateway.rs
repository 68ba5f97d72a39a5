//! Faults that a gateway carries out, asked of it by its admin server. Each target is a gateway in this process
//! with an origin behind it, so that both end with us.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bulkhead_chaos::http::{AbortWith, BodyDirection, HttpEffect};
use bulkhead_chaos::{ChaosId, Fault, FaultState, GatewayFault, HttpFault, Target};
use bulkhead_config::Config;
use bulkhead_control::{AdminOptions, Applied, Control, ControlOptions, Plane};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_message::Address;
use bulkhead_origin::{Origin, OriginOptions};

use super::Staged;
use crate::plane::GatewayPlane;

/// A status that neither gateway nor origin has for anything else.
const ABORT_STATUS: u16 = 418;
/// Longer than a request takes, and shorter than a bench may.
const DELAY: Duration = Duration::from_millis(50);
/// A gateway that has not answered for so long hangs.
const HANG: Duration = Duration::from_millis(200);
/// A gateway that is well answers within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// The one worker: what befalls it befalls every request.
const WORKER: usize = 0;

pub(super) fn abort() -> anyhow::Result<Box<dyn Staged>> {
    stage(Fault::Http(HttpFault::new(HttpEffect::Abort(AbortWith::Status(ABORT_STATUS)), 100.0)))
}

pub(super) fn delay() -> anyhow::Result<Box<dyn Staged>> {
    let effect = HttpEffect::Delay { delay: DELAY, direction: BodyDirection::Request };
    stage(Fault::Http(HttpFault::new(effect, 100.0)))
}

pub(super) fn stall_worker() -> anyhow::Result<Box<dyn Staged>> {
    stage(Fault::Gateway(GatewayFault::StallWorker { worker: WORKER }))
}

pub(super) fn kill_worker() -> anyhow::Result<Box<dyn Staged>> {
    stage(Fault::Gateway(GatewayFault::KillWorker { worker: WORKER }))
}

/// A gateway to strike. What is dropped first is what asks the rest.
struct Struck {
    fault: Fault,
    control: Control,
    plane: Arc<GatewayPlane>,
    web: SocketAddr,
    /// Of its worker, before it was struck.
    generation: u64,
    _origin: Origin,
}

fn stage(fault: Fault) -> anyhow::Result<Box<dyn Staged>> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let origin = Origin::start(OriginOptions { address: anywhere, ..OriginOptions::default() })
        .context("start an origin")?;
    let config = Config::quick(anywhere, &format!("http://{}", origin.addr()), Some(1))?;
    let gateway = Gateway::start(config.clone(), GatewayOptions::default())
        .context("start a gateway to strike")?;
    let web = gateway.addresses().into_iter().find_map(|(_, address)| match address {
        Address::Inet(address) => Some(address),
        Address::Unix(_) => None,
    });
    let no_upgrade = || Err("a gateway of a bench is not upgraded".to_owned());
    let plane = Arc::new(GatewayPlane::new(gateway, Some(1), no_upgrade));
    let admin = AdminOptions { address: anywhere, faults: true, readiness_clusters: Vec::new() };
    let options = ControlOptions { admin: Some(admin), ..ControlOptions::default() };
    let applied = Applied {
        config,
        revision: 1,
        warnings: Vec::new(),
        origin: "bench".to_owned(),
        source: None,
    };
    let control = Control::start(options, applied, Arc::<GatewayPlane>::clone(&plane), |_| ())
        .context("start its admin server")?;
    let web = web.context("the gateway listens nowhere")?;
    let generation = generation(&plane).context("the gateway has no worker")?;
    Ok(Box::new(Struck { fault, control, plane, web, generation, _origin: origin }))
}

/// Of the worker, as the data plane itself says it.
fn generation(plane: &GatewayPlane) -> Option<u64> {
    plane.workers().first().map(|worker| worker.generation)
}

impl Struck {
    /// The status of a request through the gateway; `None`: there was no answer in time.
    fn ask(&self, patience: Duration) -> Option<u16> {
        let ask = || -> anyhow::Result<u16> {
            let mut stream = TcpStream::connect_timeout(&self.web, patience)?;
            stream.set_read_timeout(Some(patience))?;
            stream.write_all(b"GET /api/v1/7/feed HTTP/1.1\r\nhost: bench\r\n\r\n")?;
            let mut line = [0; 12];
            stream.read_exact(&mut line)?;
            let Some(status) = line.strip_prefix(b"HTTP/1.1 ") else {
                bail!("no response of HTTP/1.1");
            };
            Ok(std::str::from_utf8(status)?.parse()?)
        };
        ask().ok()
    }
}

impl Staged for Struck {
    fn fault(&self) -> Fault {
        self.fault.clone()
    }

    fn target(&self) -> anyhow::Result<Target> {
        let admin = self.control.admin_address().context("the gateway has no admin server")?;
        Ok(Target::Gateway { admin })
    }

    /// By what a client sees, and the worker's generation in the data plane itself.
    fn is_struck(&mut self, _: ChaosId) -> bool {
        match &self.fault {
            Fault::Http(HttpFault { effect: HttpEffect::Delay { delay, .. }, .. }) => {
                let started = Instant::now();
                self.ask(PATIENCE).is_some() && started.elapsed() >= *delay
            }
            Fault::Http(_) => self.ask(PATIENCE) == Some(ABORT_STATUS),
            Fault::Gateway(GatewayFault::StallWorker { .. }) => self.ask(HANG).is_none(),
            _ => generation(&self.plane) > Some(self.generation),
        }
    }

    /// By what a client sees, and the faults that the data plane itself has in force.
    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        let in_force = self.plane.faults().iter().any(|fault| fault.state == FaultState::Active);
        in_force || self.ask(PATIENCE) != Some(200)
    }
}
