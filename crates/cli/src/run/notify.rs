//! What the service manager is told (`sd_notify(3)`): by itself, or by way of the supervisor.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;

use super::channel::{Channel, Message};

/// Who is told.
#[derive(Debug)]
pub(super) enum Notifier {
    Nobody,
    Systemd(UnixDatagram, SocketAddr),
    Supervisor(Arc<Channel>),
}

impl Notifier {
    /// `NOTIFY_SOCKET` is a path, or with `@` in front a name in the abstract namespace.
    pub(super) fn from_environment() -> Self {
        std::env::var("NOTIFY_SOCKET").map_or(Self::Nobody, |name| Self::at(&name))
    }

    fn at(name: &str) -> Self {
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        match (UnixDatagram::unbound(), address) {
            (Ok(socket), Ok(address)) => Self::Systemd(socket, address),
            _ => Self::Nobody,
        }
    }

    /// Says a state, e.g. `READY=1`; several are lines. Whoever does not listen misses it.
    pub(super) fn tell(&self, state: &str) {
        match self {
            Self::Nobody => {}
            Self::Systemd(socket, address) => {
                let _ = socket.send_to_addr(state.as_bytes(), address);
            }
            Self::Supervisor(channel) => {
                let _ = channel.send(&Message::Notify(state.to_owned()));
            }
        }
    }

    /// A reload begins; `READY=1` ends it.
    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let usec = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_testkit::Scratch;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn a_path_and_an_abstract_name_are_told() {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        Notifier::at(path.to_str().unwrap()).tell("READY=1");
        assert_eq!(heard(&by_path), "READY=1");

        let name = format!("bulkhead-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        Notifier::at(&format!("@{name}")).reloading();
        let text = heard(&by_name);
        let usec = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn nobody_is_told_without_complaint() {
        Notifier::Nobody.tell("READY=1");
        Notifier::at("/nowhere/notify").tell("READY=1");
    }
}
