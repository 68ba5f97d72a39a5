//! From an interface and a fault to what is done to all packets that leave it.

use super::{InterfaceEnd, InterfaceError, InterfaceTarget};
use crate::link::{Impairment, LinkFault};

impl InterfaceTarget {
    /// What a queueing discipline of the interface has to do to what goes out there.
    ///
    /// # Errors
    /// What is ambiguous or impossible, with a remedy.
    pub fn leaving(&self, fault: &LinkFault) -> Result<Impairment, InterfaceError> {
        self.check_words()?;
        if !self.scope.is_open() {
            return Err(InterfaceError::Scoped);
        }
        let (upstream, downstream) = (fault.upstream, fault.downstream);
        match (self.is_loopback(), self.end) {
            (true, Some(_)) => Err(InterfaceError::EndOfLoopback),
            (true, None) if upstream != downstream => Err(InterfaceError::Alike),
            (true, None) => upstream.ok_or(InterfaceError::Alike),
            (false, None) => Err(InterfaceError::NoEnd),
            (false, Some(InterfaceEnd::Server)) => match (upstream, downstream) {
                (None, Some(leaving)) => Ok(leaving),
                _ => Err(InterfaceError::ComesIn { way: "upstream", other: "client's" }),
            },
            (false, Some(InterfaceEnd::Client)) => match (upstream, downstream) {
                (Some(leaving), None) => Ok(leaving),
                _ => Err(InterfaceError::ComesIn { way: "downstream", other: "server's" }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InterfaceError, InterfaceTarget};
    use crate::fault::NetworkFault;
    use crate::link::Impairment;

    fn leaving(interface: &str, direction: &str) -> Result<Impairment, InterfaceError> {
        let target: InterfaceTarget = serde_json::from_str(interface).unwrap();
        let fault: NetworkFault = serde_json::from_str(&format!(
            r#"{{"delay": {{"direction": "{direction}", "per": "direction", "base_ms": 40}}}}"#
        ))
        .unwrap();
        target.leaving(&fault.check().unwrap())
    }

    #[test]
    fn only_what_goes_out_is_struck() {
        let (client, server) =
            (r#"{"name": "eth0", "end": "client"}"#, r#"{"name": "eth0", "end": "server"}"#);
        assert!(matches!(leaving(client, "upstream"), Ok(Impairment::Delay { .. })));
        assert!(matches!(leaving(server, "downstream"), Ok(Impairment::Delay { .. })));
        for (interface, direction, told) in [
            (client, "downstream", "downstream packets come in at this end"),
            (server, "upstream", "order that direction for an interface of the client's end"),
            (server, "both", "upstream packets come in"),
            (client, "both", "downstream packets come in"),
            (r#"{"name": "eth0"}"#, "upstream", "add `end: server`"),
        ] {
            let error = leaving(interface, direction).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn loopback_has_both_directions_and_no_scope_is_known() {
        let lo = r#"{"name": "lo"}"#;
        assert!(leaving(lo, "both").is_ok());
        assert_eq!(leaving(lo, "upstream"), Err(InterfaceError::Alike));
        let end = r#"{"name": "lo", "end": "server"}"#;
        assert_eq!(leaving(end, "both"), Err(InterfaceError::EndOfLoopback));
        let scoped = r#"{"name": "lo", "scope": {"protocol": "tcp"}}"#;
        assert_eq!(leaving(scoped, "both"), Err(InterfaceError::Scoped));
        assert!(matches!(leaving(r#"{"name": "a/b"}"#, "both"), Err(InterfaceError::Name(_))));
    }
}
