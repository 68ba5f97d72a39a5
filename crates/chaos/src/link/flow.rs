//! Connections of TCP, as far as faults ask for them: how many bytes have come by.

/// A packet of TCP that has data, or begins a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpPacket {
    /// Names its connection and direction; a carrier makes it of addresses and ports.
    pub flow: u64,
    /// Number of its first byte of data (RFC 9293, section 3.4).
    pub sequence: u32,
    /// Bytes of data.
    pub bytes: u32,
    /// It begins the connection.
    pub opens: bool,
    /// Its data are one query of DNS and nothing else (RFC 7766).
    pub is_dns_query: bool,
}

impl TcpPacket {
    /// The same for a packet and its retransmission, so that a chance strikes both or neither.
    pub(super) const fn identity(self) -> u64 {
        self.flow.rotate_left(17) ^ self.sequence as u64
    }
}

/// Sets of the table, and connections of a set.
const SETS: usize = 512;
const WAYS: usize = 8;

/// Where the data of connections begin. All its memory is taken at once; of a set that is full, the
/// connection is forgotten that was not seen for longest, and counts anew when it is seen again.
#[derive(Clone, Debug)]
pub(super) struct FlowTable {
    flows: Vec<Flow>,
    clock: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    name: u64,
    begin: u32,
    /// When it was seen last; 0: never.
    seen: u64,
}

impl FlowTable {
    pub(super) fn new() -> Self {
        Self { flows: vec![Flow::default(); SETS * WAYS], clock: 0 }
    }

    /// How many bytes of its connection have passed when this packet has. One that is not known is
    /// counted from here.
    pub(super) fn passed(&mut self, packet: TcpPacket) -> u64 {
        self.clock += 1;
        let set = (packet.flow.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SETS;
        let Some(flows) = self.flows.get_mut(set * WAYS..(set + 1) * WAYS) else { return 0 };
        let known = flows.iter().position(|flow| flow.seen > 0 && flow.name == packet.flow);
        let oldest = || (0..WAYS).min_by_key(|way| flows[*way].seen).unwrap_or(0);
        let way = known.unwrap_or_else(oldest);
        let flow = &mut flows[way];
        if known.is_none() || packet.opens {
            *flow = Flow { name: packet.flow, begin: packet.sequence, seen: 0 };
        }
        flow.seen = self.clock;
        // What was sent before the begin and comes again is below it.
        let offset = i64::from(packet.sequence.wrapping_sub(flow.begin).cast_signed());
        u64::try_from(offset + i64::from(packet.bytes)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flow: u64, sequence: u32, bytes: u32) -> TcpPacket {
        TcpPacket { flow, sequence, bytes, ..TcpPacket::default() }
    }

    #[test]
    fn bytes_are_counted_by_their_numbers() {
        let mut table = FlowTable::new();
        let opens = TcpPacket { opens: true, ..packet(1, u32::MAX - 9, 0) };
        assert_eq!(table.passed(opens), 0);
        assert_eq!(table.passed(packet(1, u32::MAX - 9, 4)), 4);
        assert_eq!(table.passed(packet(1, 10, 5)), 25, "past the wrap, and what was lost counts");
        assert_eq!(table.passed(packet(1, u32::MAX - 9, 4)), 4, "the same again");
        // Seen first in its middle.
        assert_eq!(table.passed(packet(2, 1_000, 10)), 10);
        assert_eq!(table.passed(packet(2, 900, 10)), 0, "before the begin");
        assert_eq!(table.passed(packet(2, 1_010, 10)), 20);
        // Another connection of the same addresses and ports.
        let again = TcpPacket { opens: true, ..packet(1, 500, 0) };
        assert_eq!(table.passed(again), 0);
        assert_eq!(table.passed(packet(1, 500, 7)), 7);
    }

    #[test]
    fn a_full_table_forgets_the_connection_that_was_seen_least_lately() {
        let mut table = FlowTable::new();
        let many = 10 * (SETS * WAYS) as u64;
        for flow in 1..=many {
            assert_eq!(table.passed(packet(flow, 0, 1)), 1);
            // One that is seen all the time is kept.
            assert_eq!(table.passed(packet(0, flow as u32, 1)), flow, "{flow}");
        }
        assert_eq!(table.flows.len(), SETS * WAYS);
        // The latest first: each look at one that was forgotten remembers it, in place of another.
        let known = |flow: &u64| table.passed(packet(*flow, 5, 1)) == 6;
        assert_eq!((1..=many).rev().filter(known).count(), SETS * WAYS - 1);
    }
}
