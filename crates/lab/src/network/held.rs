//! Links that a lab holds for others: each in a process of its own.
//!
//! Making a link needs rights over networks that a lab need not have, also inside a user namespace,
//! which only a process that starts anew can enter. So a small process makes the link, holds all of it
//! (the namespaces, the devices, the packet box) and carries out what the lab wants of it. When it
//! ends, the link and every fault on it are gone; and it ends with the lab, by a signal of the kernel
//! (`PR_SET_PDEATHSIG`) and by the end of its socket.

mod child;
mod injector;
mod place;
mod protocol;
mod steps;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LinkKind, Namespace};
use crate::GuardianCommand;

pub(super) use child::{AskError, Holder, MAKE_TIMEOUT, Source};
pub(crate) use injector::HeldLinkInjector;
pub use place::{EndPlace, LinkPlace};
pub(super) use protocol::{ASK_BYTES_MAX, Ask, Made, Make, Outcome, Reply, Want, line, read};

/// What to do where no link can be made.
pub(super) const REMEDY: &str = "run the lab as root, or where user namespaces are allowed \
                                 (user.max_user_namespaces, AppArmor) and there is /dev/net/tun";
/// Links that a lab holds at most; each has its own subnet and reserves 64 MiB of addresses.
pub const HELD_LINKS_MAX: usize = 16;
/// Bytes of a name: that of an interface.
const NAME_BYTES_MAX: usize = 15;
/// Names that mean something else where the kernel lists interfaces.
const NAMES_TAKEN: [&str; 3] = ["lo", "all", "default"];
/// How long a link may take to tell what it counted.
const COUNTS_TIMEOUT: Duration = Duration::from_millis(500);

/// A process that holds a link.
type LinkHolder = Holder<Make, LinkPlace>;

/// How a link is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// Of TCP, for all connections over it. Without it, what the kernel begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub congestion_control: Option<String>,
    /// What its ends are.
    #[serde(default, skip_serializing_if = "LinkKind::is_default")]
    pub kind: LinkKind,
}

/// A link as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldLink {
    /// Where it is.
    #[serde(flatten)]
    pub place: LinkPlace,
    /// Whether it is there. One whose process has ended is gone; it can be made anew.
    pub up: bool,
}

/// Why there is no such link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeLinkError {
    /// Its name.
    #[error(
        "`{0}` is no name for a link: expected are 1 to 15 letters, digits, `-` and `_`, \
         and not `lo`, `all` or `default`"
    )]
    Name(String),
    /// There are too many.
    #[error("there are {HELD_LINKS_MAX} links already; remove one")]
    TooMany,
    /// There is one of this name that was asked for in another way.
    #[error("there is a link `{0}` already, and it was made in another way; remove it first")]
    Differs(String),
    /// It could not be made.
    #[error("the link could not be made: {0}")]
    Failed(String),
}

/// The links that a lab holds, by name.
#[derive(Clone, Debug)]
pub struct HeldLinks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    command: GuardianCommand,
    links: Mutex<BTreeMap<String, Arc<LinkHolder>>>,
    /// One is made or removed at a time; calls to the others do not wait for that.
    changing: Mutex<()>,
}

impl HeldLinks {
    /// `command` starts a process that calls [`hold_link`](crate::hold_link).
    pub fn new(command: GuardianCommand) -> Self {
        Self(Arc::new(Inner { command, links: Mutex::default(), changing: Mutex::default() }))
    }

    /// Makes a link, and says whether it is a new one: there may be one that was asked for in the same
    /// way already. One that is gone is made anew.
    ///
    /// # Errors
    /// [`MakeLinkError`].
    pub fn make(
        &self,
        name: &str,
        request: &LinkRequest,
    ) -> Result<(HeldLink, bool), MakeLinkError> {
        if !is_name(name) {
            return Err(MakeLinkError::Name(name.to_owned()));
        }
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holder) = self.holder(name).filter(|holder| holder.is_alive()) {
            return match holder.first().request == *request {
                true => Ok((tell(&holder), false)),
                false => Err(MakeLinkError::Differs(name.to_owned())),
            };
        }
        let make = Make {
            name: name.to_owned(),
            subnet: self.free_subnet(name)?,
            request: request.clone(),
        };
        let holder = Arc::new(self.start(make).map_err(MakeLinkError::Failed)?);
        self.links().insert(name.to_owned(), Arc::clone(&holder));
        Ok((tell(&holder), true))
    }

    fn start(&self, make: Make) -> Result<LinkHolder, String> {
        let source = Source::Child {
            command: self.0.command.clone(),
            in_user_namespace: Namespace::new().is_err(),
            remedy: REMEDY,
        };
        let name = format!("link {}", make.name);
        Holder::start(&name, &source, make, Instant::now() + MAKE_TIMEOUT)
    }

    /// All of them.
    pub fn all(&self) -> Vec<HeldLink> {
        self.links().values().map(|holder| tell(holder)).collect()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<HeldLink> {
        self.holder(name).map(|holder| tell(&holder))
    }

    /// What a link has counted: packets of each direction since it was made. `None`: it is gone, or
    /// does not answer.
    pub fn counts(&self, name: &str) -> Option<Value> {
        let deadline = Instant::now() + COUNTS_TIMEOUT;
        match self.holder(name)?.ask(Want::Counts, deadline) {
            Ok(Outcome::Counts(counts)) => counts.ok(),
            _ => None,
        }
    }

    /// Ends a link, with every fault on it, and says whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = self.links().remove(name);
        if let Some(holder) = &holder {
            holder.end();
        }
        holder.is_some()
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LinkHolder>>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holder(&self, name: &str) -> Option<Arc<LinkHolder>> {
        self.links().get(name).cloned()
    }

    /// The lowest that no other link has, so that addresses tell links apart.
    fn free_subnet(&self, name: &str) -> Result<u8, MakeLinkError> {
        let links = self.links();
        let others = || links.values().filter(|it| it.place().name != name);
        if others().count() >= HELD_LINKS_MAX {
            return Err(MakeLinkError::TooMany);
        }
        let is_free = |subnet: &u8| others().all(|it| it.first().subnet != *subnet);
        (0..=u8::MAX).find(is_free).ok_or(MakeLinkError::TooMany)
    }
}

fn tell(holder: &LinkHolder) -> HeldLink {
    HeldLink { place: holder.place().clone(), up: holder.is_alive() }
}

/// It becomes a part of paths, too.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(fits)
        && !NAMES_TAKEN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_those_of_interfaces() {
        for good in ["storm", "s", "a-b_c", "123456789012345"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1234567890123456", "../../x", "a b", "ü", "lo", "all", "default", "."] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
