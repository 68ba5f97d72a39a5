//! Two networks of the bench's own, joined by Ethernet interfaces: what the lab strikes there exists already,
//! and outlives the lab and everything that is killed.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::{CarrierChoice, InterfaceEnd, InterfaceTarget};
use bulkhead_lab::{Link, LinkKind, LinkOptions, Namespace, strikes_in_kernel};

use super::Looker;
use crate::bench::chaos::marked;

const DNS_PORT: u16 = 53;
/// Between two looks of the resolver at whether it is to end.
const PAUSE: Duration = Duration::from_millis(200);

/// Such a pair of networks, with a client in the one and a resolver in the other.
pub(in crate::bench::chaos) struct Wire {
    pub(in crate::bench::chaos) looker: Mutex<Looker>,
    _resolver: Resolver,
    link: Link,
}

impl Wire {
    /// The client ends with the thread that calls this.
    pub(in crate::bench::chaos) fn make(number: usize) -> anyhow::Result<Self> {
        let [client, server] = [Arc::new(Namespace::new()?), Arc::new(Namespace::new()?)];
        let subnet = u8::try_from(number).unwrap_or_default();
        let options = LinkOptions { subnet, kind: LinkKind::Veth, ..LinkOptions::default() };
        let link = Link::between(&format!("bench{number}"), &client, &server, &options)?;
        let (address, program) = (link.server().v4, std::env::current_exe());
        let mut command = marked(program.context("find this program")?);
        command.args(["bench", "look"]);
        client.start_in(&mut command)?;
        let looker = Mutex::new(Looker::start(command, address)?);
        let resolver = Resolver::start(&server, address)?;
        Ok(Self { looker, _resolver: resolver, link })
    }

    /// What comes in at the server's end.
    pub(in crate::bench::chaos) fn target(&self, carrier: CarrierChoice) -> InterfaceTarget {
        let end = self.link.server();
        let mut target = InterfaceTarget::new(&end.interface);
        target.namespace = Some(end.namespace.path());
        target.end = Some(InterfaceEnd::Server);
        target.carrier = carrier;
        target
    }

    /// What the kernel has of faults there.
    pub(in crate::bench::chaos) fn left(&self, carrier: CarrierChoice) -> io::Result<Vec<String>> {
        let end = self.link.server();
        let look = || strikes_in_kernel(carrier, &end.interface);
        end.namespace.enter(look).map_err(io::Error::other)?
    }

    /// Names of its networks for the kernel: `net:[4026531840]`.
    pub(in crate::bench::chaos) fn networks(&self) -> BTreeSet<PathBuf> {
        let ends = [self.link.client(), self.link.server()];
        let numbers = ends.iter().filter_map(|end| end.namespace.identity().ok());
        numbers.map(|(_, inode)| format!("net:[{inode}]").into()).collect()
    }
}

/// Answers every query that there is no such name, which is an answer.
struct Resolver {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    fn start(namespace: &Namespace, address: Ipv4Addr) -> anyhow::Result<Self> {
        let socket = namespace.enter(|| UdpSocket::bind((address, DNS_PORT)))?;
        let socket = socket.context("listen for queries of DNS")?;
        socket.set_read_timeout(Some(PAUSE)).context("listen for queries of DNS")?;
        let is_over = Arc::<AtomicBool>::default();
        let until = Arc::clone(&is_over);
        let answer = move || {
            let mut query = [0; 512];
            while !until.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut query) else { continue };
                // RFC 1035, section 4.1.1: a response, NXDOMAIN.
                query[2] |= 0x80;
                query[3] = 3;
                let _ = socket.send_to(&query[..length], client);
            }
        };
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(answer)?;
        Ok(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
