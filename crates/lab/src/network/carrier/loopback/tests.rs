use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use bulkhead_chaos::{PacketMatch, Transport};

use super::Probes;
use crate::Namespace;

#[test]
fn probes_arrive_at_us_and_at_nobody_else() {
    let Ok(namespace) = Namespace::new() else {
        return eprintln!("skipped: this host lets us make no namespaces");
    };
    namespace
        .enter(|| {
            for home in ["127.0.0.1", "::1"] {
                let udp = UdpSocket::bind((home, 0)).unwrap();
                let tcp = TcpListener::bind((home, 0)).unwrap();
                let ports = [
                    (Transport::Udp, udp.local_addr().unwrap().port()),
                    (Transport::Tcp, tcp.local_addr().unwrap().port()),
                ];
                for (protocol, port) in ports {
                    let packets = PacketMatch {
                        protocol: Some(protocol),
                        destination: Some(home.parse().unwrap()),
                        destination_port: Some(port),
                        ..PacketMatch::default()
                    };
                    let mut probes = Probes::of(&packets).unwrap();
                    probes.send(200).unwrap();
                    assert_eq!(probes.lost().unwrap(), (200, 0), "{home} {protocol:?}");
                }
                udp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                let heard = udp.recv(&mut [0; 64]).map_err(|error| error.kind());
                assert_eq!(heard, Err(std::io::ErrorKind::WouldBlock), "{home}");
            }
        })
        .unwrap();
}
