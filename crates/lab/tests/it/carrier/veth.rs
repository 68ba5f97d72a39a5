//! Interfaces with a peer: each direction is struck where it comes in.

use std::process::Command;

use bulkhead_chaos::{InterfaceEnd, InterfaceTarget, Scope};
use bulkhead_lab::Namespace;

use super::{CARRIERS, Pair, Strike, is_share, namespace};
use crate::support::PATIENCE;

const UP: &str = r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 30}}}}"#;
const DOWN: &str = r#"{"partition": {"direction": "downstream"}}"#;
const PACKETS: u32 = 3_000;
const CLIENT: &str = "10.9.0.1";
const SERVER: &str = "10.9.0.2";

/// Two namespaces joined by a pair of veth. `None`, said on standard error, where it cannot be made.
fn joined() -> Option<(Namespace, Namespace)> {
    let (client, server) = (namespace()?, namespace()?);
    let peer = server.path().display().to_string();
    let commands = [
        (
            &client,
            vec!["link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &peer],
        ),
        (&client, vec!["addr", "add", "10.9.0.1/24", "dev", "near"]),
        (&client, vec!["link", "set", "near", "up"]),
        (&server, vec!["addr", "add", "10.9.0.2/24", "dev", "far"]),
        (&server, vec!["link", "set", "far", "up"]),
    ];
    for (namespace, arguments) in commands {
        let mut command = Command::new("ip");
        command.args(&arguments);
        namespace.start_in(&mut command).unwrap();
        match command.output() {
            Ok(output) if output.status.success() => {}
            other => {
                eprintln!("skipped: no pair of veth here: ip {arguments:?}: {other:?}");
                return None;
            }
        }
    }
    Some((client, server))
}

#[test]
fn an_interface_that_is_deleted_takes_its_fault_along() {
    for carrier in CARRIERS {
        let Some((client, server)) = joined() else { return };
        let far = InterfaceTarget {
            namespace: Some(server.path()),
            end: Some(InterfaceEnd::Server),
            carrier,
            ..InterfaceTarget::new("far")
        };
        let Some(strike) = Strike::begin(far, UP, PATIENCE) else { continue };
        let mut command = Command::new("ip");
        command.args(["link", "delete", "near"]);
        client.start_in(&mut command).unwrap();
        assert!(command.status().unwrap().success());
        let ended = strike.end();
        assert!(ended.holds, "{carrier:?}: {}", ended.seen);
    }
}

#[test]
fn each_direction_is_struck_at_the_end_where_it_comes_in() {
    for carrier in CARRIERS {
        let Some((client, server)) = joined() else { return };
        let pair = Pair::between((&client, CLIENT), (&server, SERVER));
        assert_eq!(pair.up(10).len(), 10);
        let target = |name: &str, namespace: &Namespace, end| InterfaceTarget {
            namespace: Some(namespace.path()),
            end: Some(end),
            carrier,
            // Packets of IPv6 that the kernel sends by itself are none of ours.
            scope: Scope { server: Some(SERVER.parse().unwrap()), ..Scope::default() },
            ..InterfaceTarget::new(name)
        };
        let far = target("far", &server, InterfaceEnd::Server);
        let near = target("near", &client, InterfaceEnd::Client);
        let Some(up) = Strike::begin(far, UP, PATIENCE) else { continue };
        let evidence = up.verify();
        assert!(evidence.seen.contains("no packet has come by yet"), "{}", evidence.seen);
        let lost = PACKETS as usize - pair.up(PACKETS).len();
        assert!(is_share(lost, PACKETS, 0.3), "{carrier:?}: {lost}");
        assert!(up.verify().holds);
        assert_eq!(pair.down(500).len(), 500, "{carrier:?}");

        let Some(down) = Strike::begin(near, DOWN, PATIENCE) else { continue };
        assert_eq!(pair.down(500), [0; 0], "{carrier:?}");
        assert!(up.end().holds && down.end().holds);
        assert_eq!((pair.up(500).len(), pair.down(500).len()), (500, 500), "{carrier:?}");
    }
}
