//! Where a link is, so that programs can be started at its ends.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use crate::network::{End, Link, LinkKind, NetworkError};

const OWN_USER_NAMESPACE: &str = "/proc/self/ns/user";

/// Where a link is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPlace {
    /// Its name, which its interfaces have too.
    pub name: String,
    /// The process that holds it.
    pub pid: u32,
    /// What its ends are.
    pub kind: LinkKind,
    /// Of TCP on it.
    pub congestion_control: String,
    /// The user namespace that owns its networks.
    pub user_namespace: PathBuf,
    /// The end of the clients.
    pub client: EndPlace,
    /// The end of the servers.
    pub server: EndPlace,
}

/// Where an end of a link is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndPlace {
    /// Its address.
    pub v4: Ipv4Addr,
    /// Its other address; not there when the kernel has no IPv6.
    pub v6: Ipv6Addr,
    /// Its network namespace, as `nsenter --net=` takes it.
    pub network_namespace: PathBuf,
}

impl LinkPlace {
    /// Of a link of this process.
    pub(in crate::network) fn of(link: &Link) -> Self {
        let pid = std::process::id();
        Self {
            name: link.name().to_owned(),
            pid,
            kind: link.kind(),
            congestion_control: link.congestion_control().to_owned(),
            user_namespace: format!("/proc/{pid}/ns/user").into(),
            client: EndPlace::of(link.client()),
            server: EndPlace::of(link.server()),
        }
    }

    /// Moves this thread into the network of an end; what it starts is born there. A process that is not
    /// in the link's user namespace must have one thread only.
    ///
    /// # Errors
    /// The link is gone, or another user made it.
    pub fn enter(&self, end: &EndPlace) -> Result<(), NetworkError> {
        let open = |path: &Path| {
            File::open(path).map_err(NetworkError::at(format!("open {}", path.display())))
        };
        let network = open(&end.network_namespace)?;
        if is_another(&self.user_namespace) {
            let user = open(&self.user_namespace)?;
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))
                .map_err(NetworkError::errno("enter the user namespace of the link"))?;
        }
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(NetworkError::errno("enter the network namespace of the link"))
    }
}

/// Than ours, which nobody may enter again.
fn is_another(user_namespace: &Path) -> bool {
    let of = |path: &Path| fs::read_link(path).ok();
    of(user_namespace) != of(Path::new(OWN_USER_NAMESPACE))
}

impl EndPlace {
    fn of(end: &End) -> Self {
        Self { v4: end.v4, v6: end.v6, network_namespace: end.namespace.path() }
    }
}
