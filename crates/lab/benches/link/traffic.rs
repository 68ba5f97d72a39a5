//! Packets at an even rate through a new link.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bulkhead_chaos::NetworkFault;
use bulkhead_lab::{End, Link, LinkOptions, LinkReport, Namespace};

use crate::accuracy::LONGEST;

/// Headers of IPv4 and UDP.
const HEADER_BYTES: usize = 28;
/// Receive buffer of the receiver.
const BUFFER_BYTES: usize = 32 * 1024 * 1024;

/// A packet that arrived.
pub(crate) struct Arrival {
    pub(crate) number: usize,
    pub(crate) delay: Duration,
}

/// What became of packets that were sent.
pub(crate) struct Traffic {
    pub(crate) arrivals: Vec<Arrival>,
    /// Of sending them.
    pub(crate) seconds: f64,
    /// CPU time of the box while they were sent.
    pub(crate) cpu: Duration,
    pub(crate) drops: u64,
    pub(crate) report: LinkReport,
}

impl Traffic {
    pub(crate) fn send(faults: &[&str], packets: usize, per_second: u64, bytes: usize) -> Self {
        let namespaces = [(); 2].map(|()| Arc::new(Namespace::new().unwrap()));
        let options = LinkOptions::default();
        let link = Link::between("bench", &namespaces[0], &namespaces[1], &options).unwrap();
        let until = Instant::now() + Duration::from_secs(600);
        for (key, json) in faults.iter().enumerate() {
            let fault: NetworkFault = serde_json::from_str(json).unwrap();
            link.impose(key as u128, &fault, 7, until, until).unwrap();
        }
        let (from, to) = (socket(link.client()), socket(link.server()));
        from.connect(to.local_addr().unwrap()).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&to, BUFFER_BYTES).unwrap();
        to.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let before = link.report(until).unwrap();
        let origin = Instant::now();
        let over = AtomicBool::new(false);
        let (arrivals, seconds, report) = std::thread::scope(|scope| {
            let receiver = scope.spawn(|| receive(&to, origin, packets, &over));
            pace(&from, origin, packets, per_second, bytes);
            let seconds = origin.elapsed().as_secs_f64();
            let report = link.report(until).unwrap();
            std::thread::sleep(LONGEST);
            over.store(true, Ordering::Relaxed);
            (receiver.join().unwrap(), seconds, report)
        });
        let cpu = report.cpu - before.cpu;
        let drops = link.device_drops().unwrap()[0];
        Self { arrivals, seconds, cpu, drops, report }
    }
}

fn socket(end: &End) -> UdpSocket {
    end.namespace.enter(|| UdpSocket::bind((end.v4, 0))).unwrap().unwrap()
}

fn pace(socket: &UdpSocket, origin: Instant, packets: usize, per_second: u64, bytes: usize) {
    let mut payload = vec![0; bytes - HEADER_BYTES];
    let mut sent = 0;
    while sent < packets {
        let due = (origin.elapsed().as_secs_f64() * per_second as f64) as usize;
        while sent < due.min(packets) {
            payload[..8].copy_from_slice(&(sent as u64).to_ne_bytes());
            let nanos = origin.elapsed().as_nanos() as u64;
            payload[8..16].copy_from_slice(&nanos.to_ne_bytes());
            socket.send(&payload).unwrap();
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn receive(socket: &UdpSocket, origin: Instant, packets: usize, over: &AtomicBool) -> Vec<Arrival> {
    let mut arrivals = Vec::with_capacity(2 * packets);
    let mut bytes = [0; 2_048];
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    while !over.load(Ordering::Relaxed) {
        // A time-out only lets it look whether all is over.
        let Ok(length) = socket.recv(&mut bytes) else { continue };
        let now = origin.elapsed();
        let (number, sent) = (word(&bytes[..8]), word(&bytes[8..16]));
        assert!(length >= 16 && (number as usize) < packets);
        let delay = now.saturating_sub(Duration::from_nanos(sent));
        arrivals.push(Arrival { number: number as usize, delay });
    }
    arrivals
}
