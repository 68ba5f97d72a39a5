//! A name server on the loopback, made by hand, and what its answers come to.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Mutex;

use super::*;

/// Type of a record.
const A: u16 = 1;
const SRV: u16 = 33;

/// Type, time to live in seconds, data.
type Record = (u16, u32, Vec<u8>);

/// Answers questions over UDP until the process ends.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<HashMap<String, Vec<Record>>>>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let zone: Arc<Mutex<HashMap<String, Vec<Record>>>> = Arc::default();
        let served = Arc::clone(&zone);
        std::thread::spawn(move || {
            let mut question = [0; 1_500];
            while let Ok((length, peer)) = socket.recv_from(&mut question) {
                let answer = answer(&question[..length], &served.lock().unwrap());
                socket.send_to(&answer, peer).unwrap();
            }
        });
        Self { address, zone }
    }

    pub(crate) fn config(&self) -> model::Dns {
        model::Dns { servers: vec![self.address] }
    }

    fn set(&self, name: &str, records: Vec<Record>) {
        self.zone.lock().unwrap().insert(name.to_owned(), records);
    }

    pub(crate) fn set_addresses(&self, name: &str, ttl: u32, last_bytes: &[u8]) {
        let record = |&last: &u8| (A, ttl, Ipv4Addr::new(10, 0, 0, last).octets().to_vec());
        self.set(name, last_bytes.iter().map(record).collect());
    }

    /// Priority, weight, port, target.
    pub(crate) fn set_services(&self, name: &str, ttl: u32, services: &[(u16, u16, u16, &str)]) {
        let record = |&(priority, weight, port, target): &(u16, u16, u16, &str)| {
            let mut data: Vec<u8> =
                [priority, weight, port].iter().flat_map(|number| number.to_be_bytes()).collect();
            for label in target.split('.').filter(|label| !label.is_empty()) {
                data.push(label.len() as u8);
                data.extend_from_slice(label.as_bytes());
            }
            data.push(0);
            (SRV, ttl, data)
        };
        self.set(name, services.iter().map(record).collect());
    }

    pub(crate) fn forget(&self, name: &str) {
        self.zone.lock().unwrap().remove(name);
    }
}

/// RFC 1035 §4.
fn answer(question: &[u8], zone: &HashMap<String, Vec<Record>>) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let end = at + 5;
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let known = zone.get(&labels.join("."));
    let records: Vec<&Record> =
        known.into_iter().flatten().filter(|(of, ..)| *of == kind).collect();
    let code = if known.is_some() { 0 } else { 3 };
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    answer.extend_from_slice(&question[12..end]);
    for (kind, ttl, data) in records {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(ttl.to_be_bytes());
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend_from_slice(data);
    }
    answer
}

/// Whether a time to live is so many seconds, less what the answer took.
fn is_ttl(found: Option<Duration>, seconds: u64) -> bool {
    found.is_some_and(|ttl| ttl <= Duration::from_secs(seconds) && ttl.as_secs() + 30 >= seconds)
}

#[tokio::test]
async fn addresses_come_with_their_time_to_live() {
    let server = NameServer::start();
    let dns = Dns::of(&server.config());
    server.set_addresses("a.test", 300, &[3, 2, 3]);
    let found = dns.addresses("a.test", 80).await.unwrap();
    assert_eq!(found.items, [([10, 0, 0, 2], 80).into(), ([10, 0, 0, 3], 80).into()]);
    assert!(is_ttl(found.ttl, 300), "{found:?}");
    // Asked again it is another question: nothing is kept here.
    server.set_addresses("a.test", 60, &[4]);
    let found = dns.addresses("a.test", 80).await.unwrap();
    assert_eq!(found.items, [([10, 0, 0, 4], 80).into()]);
    assert!(is_ttl(found.ttl, 60), "{found:?}");
    server.set_addresses("a.test", 60, &[]);
    assert!(dns.addresses("a.test", 80).await.is_err());
    assert!(dns.addresses("b.test", 80).await.is_err());
}

#[tokio::test]
async fn services_are_all_that_is_offered() {
    let server = NameServer::start();
    let dns = Dns::of(&server.config());
    server.set_services("_http._tcp.test", 120, &[(1, 5, 8080, "a.test"), (2, 0, 81, "b.test")]);
    let found = dns.services("_http._tcp.test").await.unwrap();
    let facts: Vec<_> = found
        .items
        .iter()
        .map(|one| (one.priority, one.weight, one.target.trim_end_matches('.'), one.port))
        .collect();
    assert_eq!(facts, [(1, 5, "a.test", 8080), (2, 0, "b.test", 81)]);
    assert!(is_ttl(found.ttl, 120), "{found:?}");
    server.set_services("_http._tcp.test", 120, &[(0, 0, 0, ".")]);
    assert!(dns.services("_http._tcp.test").await.is_err(), "the service is not offered");
    let system = Dns::System(Arc::new(|_, _| Ok(Vec::new())));
    let reason = system.services("_http._tcp.test").await.unwrap_err().to_string();
    assert!(reason.contains("no name server"), "{reason}");
}

#[tokio::test]
async fn localhost_is_known_without_a_name_server() {
    let server = NameServer::start();
    let found = Dns::of(&server.config()).addresses("localhost", 80).await.unwrap();
    assert!(found.items.iter().all(|address| address.ip().is_loopback()), "{found:?}");
}
