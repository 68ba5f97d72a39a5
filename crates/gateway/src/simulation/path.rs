//! A stream of bytes over one direction of a link that bears faults of the chaos lab: the same declarations,
//! checked and carried out by the same model, as on the lab's own links.
//!
//! The model is one of packets, and the sockets of a simulation carry a stream, so what TCP would do stands
//! here: what is lost or damaged is sent again, later each time, and nothing arrives before what was sent
//! earlier. A reset ends the connection, with all that is under way.

use std::collections::VecDeque;
use std::time::Duration;

use bulkhead_chaos::{Impairment, Lane, PacketKind, Reply, TcpPacket};

/// Bytes of a packet.
const PACKET_BYTES: usize = 1_448;
/// What is lost is sent again after this time, and after twice the time before each time.
const RETRY: Duration = Duration::from_millis(200);
/// The longest of these times.
const RETRY_MAX: Duration = Duration::from_millis(800);

/// See the module. Without faults it is not there, and costs nothing.
#[derive(Debug, Default)]
pub(super) struct Path(Option<Box<Journey>>);

#[derive(Debug, Default)]
struct Journey {
    lane: Lane,
    /// In the order of the stream; the first has the number `first`.
    packets: VecDeque<Packet>,
    first: u32,
    arrived: VecDeque<u8>,
    /// Bytes that were sent, as TCP counts them.
    sequence: u32,
    is_reset: bool,
}

#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    sequence: u32,
    /// When it is sent (again); nothing while it is on its way.
    due: Option<Duration>,
    retry: Duration,
    has_arrived: bool,
}

impl Path {
    /// A fault strikes, until `expires`.
    pub(super) fn impose(
        &mut self,
        key: u128,
        impairment: &Impairment,
        seed: u64,
        expires: Duration,
    ) {
        // More at a time than a lane bears: the fault is left out.
        let _ = self.0.get_or_insert_default().lane.add(key, impairment, seed, expires);
    }

    /// A fault is taken back.
    pub(super) fn lift(&mut self, key: u128) {
        if let Some(journey) = &mut self.0 {
            journey.lane.remove(key);
        }
    }

    /// Whether a fault has ended the connection.
    pub(super) fn is_reset(&self) -> bool {
        self.0.as_ref().is_some_and(|journey| journey.is_reset)
    }

    /// Whether bytes must take this way, rather than none at all.
    pub(super) const fn is_open(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn send(&mut self, now: Duration, bytes: &[u8]) {
        let Some(journey) = &mut self.0 else { return };
        for bytes in bytes.chunks(PACKET_BYTES) {
            let (sequence, bytes) = (journey.sequence, bytes.to_vec());
            journey.sequence = sequence.wrapping_add(bytes.len() as u32);
            let (due, retry, has_arrived) = (Some(now), RETRY, false);
            journey.packets.push_back(Packet { bytes, sequence, due, retry, has_arrived });
        }
        journey.advance(now);
    }

    /// What has arrived by now, up to so many bytes.
    pub(super) fn take(&mut self, now: Duration, most: usize) -> Vec<u8> {
        let Some(journey) = &mut self.0 else { return Vec::new() };
        journey.advance(now);
        let taken = journey.arrived.drain(..most.min(journey.arrived.len())).collect();
        if journey.lane.is_free() && journey.packets.is_empty() && journey.arrived.is_empty() {
            self.0 = None;
        }
        taken
    }

    /// When something happens next by itself.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let journey = self.0.as_ref()?;
        let due = journey.packets.iter().filter_map(|packet| packet.due);
        let ready = (!journey.arrived.is_empty()).then_some(now);
        due.chain(journey.lane.next_event()).chain(ready).min()
    }
}

impl Journey {
    fn advance(&mut self, now: Duration) {
        self.lane.expire(now);
        for (number, packet) in (self.first..).zip(&mut self.packets) {
            if packet.has_arrived || packet.due.is_none_or(|due| due > now) {
                continue;
            }
            let pushed = self.lane.push(now, packet.bytes.len(), number, packet.kind());
            self.is_reset |= pushed.reply == Some(Reply::Reset);
            packet.due = (pushed.copies == 0).then(|| packet.again(now));
        }
        while let Some(released) = self.lane.pop(now) {
            // One that came before is a copy.
            let place = released.slot.wrapping_sub(self.first) as usize;
            let Some(packet) = self.packets.get_mut(place) else { continue };
            if released.flip.is_none() {
                (packet.has_arrived, packet.due) = (true, None);
            } else if !packet.has_arrived {
                packet.due = Some(packet.again(now));
            }
        }
        while let Some(packet) = self.packets.pop_front_if(|packet| packet.has_arrived) {
            self.arrived.extend(packet.bytes);
            self.first = self.first.wrapping_add(1);
        }
    }
}

impl Packet {
    /// A lane has one connection here.
    const fn kind(&self) -> PacketKind {
        let (flow, bytes, sequence) = (0, self.bytes.len() as u32, self.sequence);
        PacketKind::Tcp(TcpPacket { flow, sequence, bytes, opens: false, is_dns_query: false })
    }

    fn again(&mut self, now: Duration) -> Duration {
        let due = now + self.retry;
        self.retry = RETRY_MAX.min(2 * self.retry);
        due
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::NetworkFault;

    use super::*;

    const FOREVER: Duration = Duration::from_secs(1_000_000);

    fn impairment(json: &str) -> Impairment {
        let fault: NetworkFault = serde_json::from_str(json).unwrap();
        fault.check().unwrap().upstream.unwrap()
    }

    /// Sends so many bytes over a way with this fault, and tells when the last of them arrived.
    fn journey(json: &str, count: usize, expires: Duration) -> (Path, Duration) {
        let mut path = Path::default();
        path.impose(1, &impairment(json), 7, expires);
        let sent: Vec<u8> = (0..count).map(|place| (place % 251) as u8).collect();
        let (mut now, mut got) = (Duration::ZERO, Vec::new());
        path.send(now, &sent);
        loop {
            got.extend(path.take(now, 1_000));
            if got.len() == count {
                assert_eq!(got, sent);
                return (path, now);
            }
            let next = path.next(now).expect("it stands still");
            now = next.max(now);
            assert!(now < FOREVER, "{} of {count} arrived", got.len());
        }
    }

    #[test]
    fn a_stream_arrives_whole_and_in_order_whatever_strikes_its_packets() {
        for json in [
            r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 40}}}}"#,
            r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
                "distribution": "uniform", "reorder": "allow"}}"#,
            r#"{"reorder": {"direction": "upstream", "percent": 30, "hold_back_ms": 20}}"#,
            r#"{"duplicate": {"direction": "upstream", "percent": 50}}"#,
            r#"{"corrupt": {"direction": "upstream", "percent": 30}}"#,
            r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 1000000, "queue_bytes": 20000}}"#,
        ] {
            let (_, first) = journey(json, 100_000, FOREVER);
            let (_, second) = journey(json, 100_000, FOREVER);
            assert_eq!(first, second, "the same seed: {json}");
        }
    }

    #[test]
    fn what_a_fault_costs_in_time_is_what_the_link_would() {
        let delay = r#"{"delay": {"direction": "upstream", "base_ms": 30}}"#;
        assert_eq!(journey(delay, 5_000, FOREVER).1, Duration::from_millis(30));
        let slow = r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 80000, "queue_bytes": 100000}}"#;
        let lasted = journey(slow, 20_000, FOREVER).1.as_secs_f64();
        assert!((1.7..2.2).contains(&lasted), "{lasted}");
        let lossy = r#"{"loss": {"direction": "upstream", "model": {"nth": {"every": 1}}}}"#;
        let end = Duration::from_millis(500);
        let lasted = journey(lossy, 1_000, end).1;
        assert!(lasted >= end && lasted <= end + RETRY_MAX, "{lasted:?}");
    }

    #[test]
    fn a_connection_is_reset_behind_so_many_bytes_and_not_before() {
        let mut path = Path::default();
        let reset = r#"{"reset": {"direction": "upstream", "after_bytes": 3000}}"#;
        path.impose(1, &impairment(reset), 7, FOREVER);
        path.send(Duration::ZERO, &[0; 2_896]);
        assert!(!path.is_reset());
        path.send(Duration::ZERO, &[0; 105]);
        assert!(path.is_reset());
    }

    #[test]
    fn a_fault_that_is_taken_back_holds_nothing_any_more() {
        let mut path = Path::default();
        path.impose(1, &impairment(r#"{"partition": {"direction": "upstream"}}"#), 7, FOREVER);
        path.send(Duration::ZERO, &[7; 10]);
        assert!(path.take(RETRY_MAX, 10).is_empty());
        path.lift(1);
        assert_eq!(path.take(3 * RETRY_MAX, 10), [7; 10]);
        assert!(!path.is_open());
    }

    #[test]
    fn a_way_without_faults_is_given_up_when_it_is_empty() {
        let partition = r#"{"partition": {"direction": "upstream"}}"#;
        let end = Duration::from_millis(300);
        let (mut path, now) = journey(partition, 4_000, end);
        assert!(now >= end);
        assert!(path.take(now, 1).is_empty() && !path.is_open());
        assert_eq!(path.next(now), None);
    }
}
