//! The expressions of a rule (linux/netfilter/nf_tables.h), as the kernel's own assembler would list
//! them: `nft --debug=netlink`. Numbers of attributes are in network byte order.

use std::net::IpAddr;

use bulkhead_chaos::{LossLaw, PacketMatch, Strike};

use crate::network::netlink::{NESTED, nested, text};

// Expressions.
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
// Registers: the verdict and the first for data.
const VERDICT: u32 = 0;
const DATA: u32 = 1;
// Keys of `meta`.
const META_PROTOCOL: u32 = 1;
const META_IIF: u32 = 4;
const META_L4PROTO: u32 = 16;
// Operators of `cmp`.
const EQUAL: u32 = 0;
const LESS: u32 = 2;
// Bases of `payload`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
// Types of `numgen`.
const INCREMENTAL: u32 = 0;
const RANDOM: u32 = 1;

const ETHERTYPE_V4: u16 = 0x0800;
const ETHERTYPE_V6: u16 = 0x86dd;

/// A share is a number below this one, of so many that are equally likely.
pub(super) const SHARE_OF: u32 = 1_000_000_000;

/// Expressions of a rule.
#[derive(Default)]
pub(super) struct Expressions(Vec<Vec<u8>>);

/// A rule that loses what the strike says, as long as the set `armed` holds the interface. Its counters
/// are two: what matched, and what was lost of it. `None`: no rule can do so.
pub(super) fn rule(armed: &str, strike: &Strike) -> Option<Vec<u8>> {
    let mut rule = Expressions::default();
    rule.meta(META_IIF);
    rule.push("lookup", &[(1, &text(armed)), (2, &DATA.to_be_bytes())]);
    rule.packets(&strike.packets);
    rule.push("counter", &[]);
    rule.law(strike.law)?;
    rule.push("counter", &[]);
    rule.drop();
    Some(rule.finish())
}

impl Expressions {
    fn push(&mut self, name: &str, attributes: &[(u16, &[u8])]) {
        let data = nested(attributes);
        let expression = [(NFTA_EXPR_NAME, text(name)), (NFTA_EXPR_DATA | NESTED, data)];
        self.0.push(nested(&expression.each_ref().map(|(kind, value)| (*kind, value.as_slice()))));
    }

    fn finish(self) -> Vec<u8> {
        let list: Vec<(u16, &[u8])> =
            self.0.iter().map(|it| (NFTA_LIST_ELEM | NESTED, it.as_slice())).collect();
        nested(&list)
    }

    fn meta(&mut self, key: u32) {
        self.push("meta", &[(1, &DATA.to_be_bytes()), (2, &key.to_be_bytes())]);
    }

    fn compare(&mut self, operator: u32, value: &[u8]) {
        let value = nested(&[(1, value)]);
        let attributes: [(u16, &[u8]); 3] =
            [(1, &DATA.to_be_bytes()), (2, &operator.to_be_bytes()), (3 | NESTED, &value)];
        self.push("cmp", &attributes);
    }

    fn payload(&mut self, base: u32, offset: u32, value: &[u8]) {
        let length = value.len() as u32;
        let attributes: [(u16, &[u8]); 4] = [
            (1, &DATA.to_be_bytes()),
            (2, &base.to_be_bytes()),
            (3, &offset.to_be_bytes()),
            (4, &length.to_be_bytes()),
        ];
        self.push("payload", &attributes);
        self.compare(EQUAL, value);
    }

    fn packets(&mut self, packets: &PacketMatch) {
        if let Some(v4) = packets.is_ipv4() {
            self.meta(META_PROTOCOL);
            self.compare(EQUAL, &(if v4 { ETHERTYPE_V4 } else { ETHERTYPE_V6 }).to_be_bytes());
        }
        // Places of source and destination in the headers of RFC 791 and RFC 8200.
        for (address, v4, v6) in [(packets.source, 12, 8), (packets.destination, 16, 24)] {
            match address {
                Some(IpAddr::V4(address)) => self.payload(NETWORK_HEADER, v4, &address.octets()),
                Some(IpAddr::V6(address)) => self.payload(NETWORK_HEADER, v6, &address.octets()),
                None => {}
            }
        }
        if let Some(protocol) = packets.protocol {
            self.meta(META_L4PROTO);
            self.compare(EQUAL, &[protocol.number()]);
        }
        for (port, offset) in [(packets.source_port, 0), (packets.destination_port, 2)] {
            if let Some(port) = port {
                self.payload(TRANSPORT_HEADER, offset, &port.to_be_bytes());
            }
        }
    }

    /// Goes on with the packets that are to be lost.
    fn law(&mut self, law: LossLaw) -> Option<()> {
        match law {
            LossLaw::Bernoulli { share } if share >= 1.0 => {}
            LossLaw::Bernoulli { share } => {
                self.number(RANDOM, SHARE_OF);
                // Numbers are compared byte by byte: in network byte order as numbers.
                let attributes: [(u16, &[u8]); 5] = [
                    (1, &DATA.to_be_bytes()),
                    (2, &DATA.to_be_bytes()),
                    (3, &1u32.to_be_bytes()),
                    (4, &4u32.to_be_bytes()),
                    (5, &4u32.to_be_bytes()),
                ];
                self.push("byteorder", &attributes);
                self.compare(LESS, &threshold(share).to_be_bytes());
            }
            LossLaw::Nth { every } => {
                self.number(INCREMENTAL, every);
                self.compare(EQUAL, &(every.checked_sub(1)?).to_ne_bytes());
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self, kind: u32, below: u32) {
        let attributes: [(u16, &[u8]); 3] =
            [(1, &DATA.to_be_bytes()), (2, &below.to_be_bytes()), (3, &kind.to_be_bytes())];
        self.push("numgen", &attributes);
    }

    fn drop(&mut self) {
        // NF_DROP is 0.
        let code = nested(&[(1, &0u32.to_be_bytes())]);
        let verdict = nested(&[(2 | NESTED, &code)]);
        self.push("immediate", &[(1, &VERDICT.to_be_bytes()), (2 | NESTED, &verdict)]);
    }
}

/// Of [`SHARE_OF`], at least one: a fault that is asked for is there.
pub(super) fn threshold(share: f64) -> u32 {
    ((share * f64::from(SHARE_OF)).round() as u32).max(1)
}
