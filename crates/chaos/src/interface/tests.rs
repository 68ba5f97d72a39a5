use super::{InterfaceEnd, InterfaceError, InterfaceTarget, Scope, Transport};
use crate::fault::NetworkFault;

fn target(json: &str) -> InterfaceTarget {
    serde_json::from_str(json).unwrap()
}

fn strikes(interface: &str, fault: &str) -> Result<Vec<String>, InterfaceError> {
    let fault: NetworkFault = serde_json::from_str(fault).unwrap();
    let strikes = target(interface).strikes(&fault.check().unwrap())?;
    Ok(strikes.iter().map(|it| format!("{}: {:.3}", it.packets, it.law.mean())).collect())
}

fn loss(direction: &str) -> String {
    format!(
        r#"{{"loss": {{"direction": "{direction}", "per": "direction", "model": {{"bernoulli": {{"percent": 12}}}}}}}}"#
    )
}

#[test]
fn only_what_comes_in_is_struck() {
    let server = r#"{"name": "eth0", "end": "server"}"#;
    assert_eq!(strikes(server, &loss("upstream")).unwrap(), ["all packets: 0.120"]);
    let out = strikes(server, &loss("downstream")).unwrap_err();
    assert!(out.to_string().contains("downstream packets go out at this end"), "{out}");
    assert!(strikes(server, &loss("both")).is_err());
    let client = r#"{"name": "eth0", "end": "client", "scope": {"protocol": "tcp",
        "server": "10.0.0.1", "server_port": 80}}"#;
    let expected = ["TCP packets from 10.0.0.1 port 80: 0.120"];
    assert_eq!(strikes(client, &loss("downstream")).unwrap(), expected);
    assert!(strikes(client, &loss("upstream")).is_err());
    assert_eq!(strikes(r#"{"name": "eth0"}"#, &loss("both")), Err(InterfaceError::NoEnd));
}

#[test]
fn loopback_tells_directions_by_ports_or_strikes_all() {
    assert_eq!(strikes(r#"{"name": "lo"}"#, &loss("both")).unwrap(), ["all packets: 0.120"]);
    for indistinct in [
        (r#"{"name": "lo"}"#, "upstream"),
        (r#"{"name": "lo", "scope": {"protocol": "udp"}}"#, "upstream"),
        (r#"{"name": "lo", "scope": {"server": "127.0.0.1"}}"#, "both"),
        (
            r#"{"name": "lo", "scope": {"protocol": "udp", "server_port": 9, "client_port": 9}}"#,
            "both",
        ),
    ] {
        let error = strikes(indistinct.0, &loss(indistinct.1));
        assert_eq!(error, Err(InterfaceError::Indistinct), "{indistinct:?}");
    }
    let port = r#"{"name": "lo", "scope": {"protocol": "udp", "server_port": 9}}"#;
    let both = ["UDP packets to port 9: 0.120", "UDP packets from port 9: 0.120"];
    assert_eq!(strikes(port, &loss("both")).unwrap(), both);
    let apart = r#"{"name": "lo", "scope": {"server": "127.0.0.2", "client": "127.0.0.1"}}"#;
    let down = ["packets from 127.0.0.2 to 127.0.0.1: 0.120"];
    assert_eq!(strikes(apart, &loss("downstream")).unwrap(), down);
    let end = r#"{"name": "lo", "end": "server"}"#;
    assert_eq!(strikes(end, &loss("both")), Err(InterfaceError::EndOfLoopback));
}

#[test]
fn what_is_no_drop_is_refused() {
    for fault in [
        r#"{"delay": {"direction": "upstream", "base_ms": 5}}"#,
        r#"{"duplicate": {"direction": "upstream", "percent": 5}}"#,
        r#"{"reset": {"direction": "upstream", "percent": 5}}"#,
        r#"{"dns": {"direction": "upstream", "percent": 5, "failure": "nxdomain"}}"#,
    ] {
        let error = strikes(r#"{"name": "eth0", "end": "server"}"#, fault).unwrap_err();
        assert!(matches!(error, InterfaceError::NoDrop(_)), "{error}");
        assert!(error.to_string().contains("order a link"), "{error}");
    }
    let cut = strikes(r#"{"name": "lo"}"#, r#"{"partition": {"direction": "both"}}"#);
    assert_eq!(cut.unwrap(), ["all packets: 1.000"]);
}

#[test]
fn queries_of_dns_are_udp_to_port_53() {
    let lost = r#"{"dns": {"direction": "upstream", "percent": 50, "failure": "timeout"}}"#;
    let told = strikes(r#"{"name": "lo"}"#, lost).unwrap();
    assert_eq!(told, ["UDP packets to port 53: 0.500"]);
    let web = r#"{"name": "lo", "scope": {"protocol": "tcp", "server_port": 80}}"#;
    assert_eq!(strikes(web, lost), Err(InterfaceError::NoQueries));
}

#[test]
fn words_are_checked() {
    for name in ["", "a/b", "sixteen-bytes-00", "a b", "..", "eth0:1"] {
        let mut target = InterfaceTarget::new(name);
        target.end = Some(InterfaceEnd::Server);
        let fault: NetworkFault = serde_json::from_str(&loss("upstream")).unwrap();
        let error = target.strikes(&fault.check().unwrap()).unwrap_err();
        assert_eq!(error, InterfaceError::Name(name.to_owned()));
    }
    let port = r#"{"name": "lo", "scope": {"server_port": 80}}"#;
    assert_eq!(strikes(port, &loss("both")), Err(InterfaceError::NoProtocol));
    let families = r#"{"name": "lo", "scope": {"server": "::1", "client": "127.0.0.1"}}"#;
    assert!(matches!(strikes(families, &loss("both")), Err(InterfaceError::Families(..))));
    assert!(serde_json::from_str::<InterfaceTarget>(r#"{"name": "lo", "port": 1}"#).is_err());
}

#[test]
fn scopes_cover_what_they_do_not_exclude() {
    let address = "127.0.0.1".parse().unwrap();
    let scope = |json: &str| serde_json::from_str::<Scope>(json).unwrap();
    assert!(scope("{}").covers(Transport::Tcp, address, 80) && !scope("{}").is_bounded());
    assert!(scope(r#"{"protocol": "tcp"}"#).covers(Transport::Tcp, address, 80));
    assert!(!scope(r#"{"protocol": "udp"}"#).covers(Transport::Tcp, address, 80));
    assert!(!scope(r#"{"server_port": 81}"#).covers(Transport::Tcp, address, 80));
    assert!(!scope(r#"{"server": "::1"}"#).covers(Transport::Tcp, address, 80));
    assert!(scope(r#"{"client_port": 9}"#).covers(Transport::Tcp, address, 80));
}
