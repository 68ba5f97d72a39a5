//! `network.*` at interfaces, by carriers that another process holds: every step is carried out there, so that
//! neither rights over networks nor anything of the kernel's is in the lab.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bulkhead_chaos::{Call, Effect, Fault, Order, Target};
use serde_json::json;

use super::holder::{Begin, CarrierPlace};
use crate::network::held::{AskError, Holder, MAKE_TIMEOUT, Source};
use crate::network::maker;
use crate::network::place::Place;
use crate::{Evidence, GuardianCommand, Handle, InjectError, Injector, Refusal, Surroundings};

/// In a handle: the process that holds it.
const HOLDER: &str = "held_by";
/// In a handle: the socket at which that was met.
const SOCKET: &str = "holder_socket";
const REMEDY: &str = "start the lab again, or `bulkhead chaos hold-carriers` as root";

type CarrierHolder = Holder<Begin, CarrierPlace>;

/// Carries out `network.*` at interfaces by a process that holds the carriers. It is started or met when it is
/// first needed, and again when it has ended; then what it held has ended with it.
#[derive(Debug)]
pub struct HeldCarriers {
    source: Source,
    control: Vec<SocketAddr>,
    current: Mutex<Option<Arc<CarrierHolder>>>,
    /// One is started at a time; calls to the one that is there do not wait for that.
    starting: Mutex<()>,
}

impl HeldCarriers {
    /// By a child of this process. `command` starts a process that calls
    /// [`hold_carriers`](crate::hold_carriers).
    pub const fn of_child(command: GuardianCommand) -> Self {
        let source = Source::Child { command, in_user_namespace: false, remedy: REMEDY };
        Self::of(source)
    }

    /// By one that a [`CarrierDoor`](crate::CarrierDoor) at this socket starts.
    pub const fn at(socket: PathBuf) -> Self {
        Self::of(Source::Socket(socket))
    }

    const fn of(source: Source) -> Self {
        Self { source, control: Vec::new(), current: Mutex::new(None), starting: Mutex::new(()) }
    }

    /// That never strike what goes to an address where the lab is controlled over TCP.
    #[must_use]
    pub fn sparing(mut self, control: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.control.extend(control);
        self
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<CarrierHolder>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that is there.
    fn current(&self) -> Option<Arc<CarrierHolder>> {
        self.held().clone().filter(|it| it.is_alive())
    }

    /// The one that is there, or a new one.
    fn holder(&self, deadline: Instant) -> Result<Arc<CarrierHolder>, String> {
        if let Some(holder) = self.current() {
            return Ok(holder);
        }
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holder) = self.current() {
            return Ok(holder);
        }
        let holder = Arc::new(self.start(&self.source, deadline)?);
        let ended = self.held().replace(Arc::clone(&holder));
        drop(ended);
        Ok(holder)
    }

    fn start(&self, source: &Source, deadline: Instant) -> Result<CarrierHolder, String> {
        let network = Place::name_of_own().map_err(|error| error.told())?;
        let begin = Begin { network, control: self.control.clone() };
        Holder::start("carriers", source, begin, deadline.min(Instant::now() + MAKE_TIMEOUT))
    }

    /// The very process that prepared this.
    fn of_handle(&self, handle: &Handle) -> Option<Arc<CarrierHolder>> {
        self.current().filter(|it| handle[HOLDER] == *it.place())
    }

    /// One that can look after what another one held: where that one was met, there may be another.
    fn successor(&self, handle: &Handle, deadline: Instant) -> Result<Arc<CarrierHolder>, String> {
        let ours = match &self.source {
            Source::Socket(path) => Some(path.as_path()),
            Source::Child { .. } => None,
        };
        match handle[SOCKET].as_str().map(Path::new) {
            Some(socket) if ours != Some(socket) => {
                self.start(&Source::Socket(socket.to_owned()), deadline).map(Arc::new)
            }
            _ => self.holder(deadline),
        }
    }
}

/// The number of the process that a handle names.
fn told(handle: &Handle) -> String {
    format!("process {}", maker::process(&handle[HOLDER]).unwrap_or_default())
}

fn ended(handle: &Handle) -> String {
    format!("{}, which held it, has ended", told(handle))
}

/// Where there is nobody to be asked: what the kernel ties to a process has ended with that.
fn vanished(handle: &Handle, why: &str) -> Result<Evidence, InjectError> {
    if let Some(process) = maker::lives_elsewhere(&handle[HOLDER]) {
        let seen = format!("process {process} still holds it; nobody else may look: {why}");
        return Err(InjectError::Unknown(seen));
    }
    if handle["carrier"] == "netem" {
        let seen = format!("{}, and nobody may look whether its netem has: {why}", ended(handle));
        return Err(InjectError::Unknown(seen));
    }
    let seen = format!("{}, and with it what the kernel had of it", ended(handle));
    Ok(Evidence { holds: true, seen })
}

impl Injector for HeldCarriers {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        matches!(target, Target::Interface(_))
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let nobody = |why: String| {
            let remedy = "start `bulkhead chaos hold-carriers` as root, and name its socket to the lab by `--carriers`";
            Refusal::new(format!("there is no process that holds carriers: {why}"), remedy)
        };
        let holder = self.holder(around.deadline).map_err(nobody)?;
        let outcome = holder
            .step(Call::Prepare, order, &Handle::Null, around)
            .map_err(|error| nobody(error.to_string()))?;
        let mut handle = outcome.prepared()?;
        handle[HOLDER] = holder.place().clone();
        if let Source::Socket(path) = &self.source {
            handle[SOCKET] = json!(path);
        }
        Ok(handle)
    }

    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let holder = self.of_handle(handle).ok_or(AskError::Gone)?;
        holder.step(Call::Inject, order, handle, around)?.done()
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let Some(holder) = self.of_handle(handle) else {
            return Ok(Evidence { holds: false, seen: ended(handle) });
        };
        let mut evidence = holder.step(Call::Verify, order, handle, around)?.seen()?;
        evidence.seen = format!("{}; held by {}", evidence.seen, told(handle));
        Ok(evidence)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        if let Some(holder) = self.of_handle(handle) {
            match holder.step(Call::Revert, order, handle, around) {
                Err(AskError::Gone) => {}
                answer => return answer?.done(),
            }
        }
        match self.successor(handle, around.deadline) {
            Ok(holder) => holder.step(Call::Revert, order, handle, around)?.done(),
            Err(why) => vanished(handle, &why).map(|_| ()),
        }
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let call = Call::VerifyReverted;
        if let Some(holder) = self.of_handle(handle) {
            match holder.step(call, order, handle, around) {
                Err(AskError::Gone) => {}
                answer => return answer?.seen(),
            }
        }
        let mut evidence = match self.successor(handle, around.deadline) {
            Ok(holder) => holder.step(call, order, handle, around)?.seen()?,
            Err(why) => return vanished(handle, &why),
        };
        evidence.seen = format!("{}; {}", evidence.seen, ended(handle));
        Ok(evidence)
    }

    fn lost(&self, _: &Order, handle: &Handle) -> Option<String> {
        let is_ours = handle.get(HOLDER).is_some() && self.of_handle(handle).is_none();
        is_ours.then(|| ended(handle))
    }

    fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Option<Effect> {
        self.of_handle(handle)?.effect(order, handle, around)
    }
}
