//! Which interfaces a process that holds carriers may strike for others.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bulkhead_chaos::{Fault, InterfaceTarget, Order, PacketMatch, Target, Transport};

use crate::Refusal;

/// Which interfaces may be struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every one of every namespace that this process reaches.
    Everything,
    /// These.
    Only(Vec<AllowedInterface>),
}

/// An interface that may be struck, or some of its packets: `eth0`, `eth0:tcp`, `eth0:tcp:80`,
/// `eth0@/run/netns/blue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedInterface {
    name: String,
    protocol: Option<Transport>,
    /// From or to which packets go.
    port: Option<u16>,
    /// As orders name it; without it that of the lab.
    namespace: Option<PathBuf>,
}

/// What is no interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no interface that could be allowed: expected is INTERFACE[:PROTOCOL[:PORT]][@NAMESPACE], such as eth0:tcp:80 or eth0@/run/netns/blue"
)]
pub struct NotAnInterface(String);

impl FromStr for AllowedInterface {
    type Err = NotAnInterface;

    fn from_str(text: &str) -> Result<Self, NotAnInterface> {
        let wrong = || NotAnInterface(text.to_owned());
        let (packets, namespace) = match text.split_once('@') {
            Some((packets, namespace)) if namespace.starts_with('/') => {
                (packets, Some(PathBuf::from(namespace)))
            }
            Some(_) => return Err(wrong()),
            None => (text, None),
        };
        let mut words = packets.split(':');
        let name = words.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?.to_owned();
        let protocol = match words.next() {
            None => None,
            Some("tcp") => Some(Transport::Tcp),
            Some("udp") => Some(Transport::Udp),
            Some(_) => return Err(wrong()),
        };
        let port = words.next().map(str::parse).transpose().map_err(|_| wrong())?;
        match words.next() {
            None => Ok(Self { name, protocol, port, namespace }),
            Some(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for AllowedInterface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        match self.protocol {
            Some(Transport::Tcp) => formatter.write_str(":tcp")?,
            Some(Transport::Udp) => formatter.write_str(":udp")?,
            None => {}
        }
        if let Some(port) = self.port {
            write!(formatter, ":{port}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(formatter, "@{}", namespace.display()),
            None => Ok(()),
        }
    }
}

impl AllowedInterface {
    fn is_of(&self, target: &InterfaceTarget) -> bool {
        self.name == target.name && self.namespace == target.namespace
    }

    /// Whether these are some of its packets.
    fn covers(&self, packets: &PacketMatch) -> bool {
        let ports = [packets.source_port, packets.destination_port];
        (self.protocol.is_none() || self.protocol == packets.protocol)
            && (self.port.is_none() || ports.contains(&self.port))
    }

    const fn is_whole(&self) -> bool {
        self.protocol.is_none()
    }
}

impl Allowed {
    /// Whether an order may be carried out.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn admit(&self, order: &Order) -> Result<(), Refusal> {
        let Self::Only(interfaces) = self else { return Ok(()) };
        let Target::Interface(target) = &order.target else {
            return Err(Refusal::new("carriers strike interfaces only", "name one"));
        };
        let here: Vec<_> = interfaces.iter().filter(|it| it.is_of(target)).collect();
        let is_allowed = match packets(order, target) {
            Some(struck) => struck.iter().all(|it| here.iter().any(|allowed| allowed.covers(it))),
            None => here.iter().any(|allowed| allowed.is_whole()),
        };
        if is_allowed {
            return Ok(());
        }
        let place = target.namespace.as_ref().map(|it| format!(" in {}", it.display()));
        let told: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
        Err(Refusal::new(
            format!(
                "the process that holds the carriers may not strike these packets of `{}`{}; it may: {}",
                target.name,
                place.unwrap_or_default(),
                if told.is_empty() { "nothing".to_owned() } else { told.join(", ") },
            ),
            "start it with `--allow` for them (`bulkhead chaos hold-carriers --help`)",
        ))
    }
}

/// Which packets are struck, if they can be told from others.
fn packets(order: &Order, target: &InterfaceTarget) -> Option<Vec<PacketMatch>> {
    let Fault::Network(fault) = &order.fault else { return None };
    let strikes = target.strikes(&fault.check().ok()?).ok()?;
    Some(strikes.iter().map(|strike| strike.packets).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_chaos::{ChaosId, Fault, Order, Random, Target};

    use super::{Allowed, AllowedInterface};

    const CUT: &str = r#"{"partition": {"direction": "upstream"}}"#;
    const NAMES: &str =
        r#"{"dns": {"direction": "upstream", "percent": 100, "failure": "timeout"}}"#;
    const DELAY: &str = r#"{"delay": {"direction": "downstream", "base_ms": 40}}"#;

    fn allowed(texts: &[&str]) -> Allowed {
        Allowed::Only(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn order(fault: &str, target: &str) -> Order {
        Order {
            id: ChaosId::new(Duration::from_secs(1), &mut Random::new(1)),
            fault: Fault::Network(serde_json::from_str(fault).unwrap()),
            target: Target::Interface(serde_json::from_str(target).unwrap()),
            seed: 1,
            expires_unix_ms: 1,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for text in ["eth0", "lo:udp", "eth0:tcp:80", "eth0:tcp:80@/run/netns/blue", "eth0@/a@b"] {
            assert_eq!(text.parse::<AllowedInterface>().unwrap().to_string(), text);
        }
        for text in
            ["", ":tcp", "eth0:80", "eth0:tcp:", "eth0:tcp:80:9", "eth0:tcp:65536", "eth0@blue"]
        {
            let error = text.parse::<AllowedInterface>().unwrap_err().to_string();
            assert!(error.contains("expected is INTERFACE"), "{text}: {error}");
        }
    }

    #[test]
    fn only_what_is_allowed_is_struck() {
        let web =
            r#"{"name": "eth0", "end": "server", "scope": {"protocol": "tcp", "server_port": 80}}"#;
        let all = r#"{"name": "eth0", "end": "server"}"#;
        let other = r#"{"name": "eth1", "end": "server"}"#;
        let blue = r#"{"name": "eth0", "end": "server", "namespace": "/run/netns/blue"}"#;
        for (rules, fault, target, fits) in [
            (&["eth0:tcp:80"][..], CUT, web, true),
            (&["eth0:tcp"], CUT, web, true),
            (&["eth0"], CUT, web, true),
            (&["eth0"], CUT, all, true),
            (&["eth0"], DELAY, all, true),
            (&["eth0:tcp:80"], CUT, all, false),
            (&["eth0:tcp:80"], DELAY, all, false),
            (&["eth0:tcp:81", "lo"], CUT, web, false),
            (&["eth0:udp"], CUT, web, false),
            (&["eth0"], CUT, other, false),
            (&["eth0"], CUT, blue, false),
            (&["eth0@/run/netns/blue"], CUT, blue, true),
            (&["eth0@/run/netns/blue"], CUT, all, false),
            (&["eth0:udp:53", "eth0:tcp:53"], NAMES, all, true),
            (&["eth0:udp:80"], NAMES, all, false),
            (&[], CUT, web, false),
        ] {
            let admitted = allowed(rules).admit(&order(fault, target));
            assert_eq!(admitted.is_ok(), fits, "{rules:?} {fault} {target}: {admitted:?}");
        }
        let refusal = allowed(&["lo:udp"]).admit(&order(CUT, blue)).unwrap_err().to_string();
        assert!(refusal.contains("of `eth0` in /run/netns/blue; it may: lo:udp"), "{refusal}");
        assert_eq!(Allowed::Everything.admit(&order(CUT, blue)), Ok(()));
    }
}
