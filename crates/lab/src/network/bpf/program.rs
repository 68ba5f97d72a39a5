//! The program that loses packets: what it looks at, and how it draws.
//!
//! Numbers are drawn as [`bulkhead_chaos::Random`] does, each from its place in the sequence of the
//! seed: the n-th packet that matches meets the fate that the packet box would give it, on whatever
//! processor it comes in.

use std::net::IpAddr;

use bulkhead_chaos::{LossLaw, Random, Strike};

use super::assembler::{Assembler, Condition, Helper, Label, Operation, Register, Width};
use Condition::{AtLeast, Equal, NotEqual};
use Operation::{Add, And, Modulo, Move, Multiply, ShiftLeft, ShiftRight, Xor};
use Register::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10};
use Width::{Byte, Double, Half, Word};

/// What the program and we share, and where.
pub(super) mod shared {
    /// Chaos id, 16 bytes, and which of its strikes, 8 bytes.
    pub(in super::super) const NAME: usize = 0;
    /// When its time is over, on the kernel's clock, in nanoseconds.
    pub(in super::super) const EXPIRES: usize = 24;
    /// Packets that matched.
    pub(in super::super) const SEEN: usize = 32;
    /// Those that were lost.
    pub(in super::super) const STRUCK: usize = 40;
    /// Whether the chain of bursts is in its bad state.
    pub(in super::super) const BAD: usize = 48;
    /// All of it.
    pub(in super::super) const BYTES: usize = 56;
}

/// The next program sees the packet, or none does.
const NEXT: i32 = -1;
const DROP: i32 = 2;
/// Offset of `protocol` in the context, which is in network byte order.
const CONTEXT_PROTOCOL: i16 = 16;
const ETHERTYPE_V4: u16 = 0x0800;
const ETHERTYPE_V6: u16 = 0x86dd;
/// Counted from the network header, whatever the interface has before it.
const FROM_NETWORK_HEADER: i32 = 1;
/// Where the packet's headers are copied to, and its ports.
const HEADER: i16 = -48;
const PORTS: i16 = -56;
const V4_BYTES: i32 = 20;
const V6_BYTES: i32 = 40;
/// Bits of a number that is drawn.
const UNIT_BITS: i32 = 53;
// SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: [(i32, u64); 2] = [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)];

/// The program for a strike whose shared value is in this map.
pub(super) fn program(strike: &Strike, seed: u64, map: i32) -> Vec<u64> {
    let mut code = Assembler::default();
    code.register(Move, R6, R1);
    headers(&mut code, strike);
    code.value_of(R7, map);
    code.call(Helper::Now);
    code.load(Double, R1, R7, shared::EXPIRES as i16);
    code.jump_if(AtLeast, R0, R1, Label::Pass);
    code.number(Move, R8, 1);
    code.fetch_add(R7, shared::SEEN as i16, R8);
    law(&mut code, strike.law, seed);
    code.place(Label::Drop);
    code.number(Move, R1, 1);
    code.fetch_add(R7, shared::STRUCK as i16, R1);
    code.number(Move, R0, DROP);
    code.exit();
    code.place(Label::Pass);
    code.number(Move, R0, NEXT);
    code.exit();
    code.finish()
}

/// In which state a chain begins: drawn before all packets.
pub(super) fn begins_bad(law: LossLaw, seed: u64) -> bool {
    match law {
        LossLaw::GilbertElliott { to_bad, to_good, .. } => {
            Random::new(seed).unit() < to_bad / (to_bad + to_good)
        }
        _ => false,
    }
}

/// Goes on with packets that match, and jumps to `Pass` with others.
fn headers(code: &mut Assembler, strike: &Strike) {
    let packets = &strike.packets;
    if *packets == Default::default() {
        return;
    }
    let v4 = packets.is_ipv4();
    code.load(Word, R1, R6, CONTEXT_PROTOCOL);
    if v4 != Some(false) {
        code.jump_if_number(Equal, R1, ETHERTYPE_V4.to_be().into(), Label::V4);
    }
    if v4 != Some(true) {
        code.jump_if_number(Equal, R1, ETHERTYPE_V6.to_be().into(), Label::V6);
    }
    code.jump(Label::Pass);
    if v4 != Some(false) {
        code.place(Label::V4);
        header(code, strike, (V4_BYTES, 9, 12, 16));
        if strike.packets.source_port.or(strike.packets.destination_port).is_some() {
            // Only the first of fragments has ports.
            code.load(Half, R1, R10, HEADER + 6);
            code.number(And, R1, i32::from(0x1fff_u16.to_be()));
            code.jump_if_number(NotEqual, R1, 0, Label::Pass);
            code.load(Byte, R8, R10, HEADER);
            code.number(And, R8, 0xf);
            code.number(ShiftLeft, R8, 2);
            code.register(Move, R2, R8);
            ports(code, strike);
        }
        code.jump(Label::Matched);
    }
    if v4 != Some(true) {
        code.place(Label::V6);
        header(code, strike, (V6_BYTES, 6, 8, 24));
        if strike.packets.source_port.or(strike.packets.destination_port).is_some() {
            code.number(Move, R2, V6_BYTES);
            ports(code, strike);
        }
    }
    code.place(Label::Matched);
}

/// Compares a header of so many bytes, with protocol, source and destination at these places.
fn header(code: &mut Assembler, strike: &Strike, places: (i32, i16, i16, i16)) {
    let (bytes, protocol, source, destination) = places;
    code.number(Move, R2, 0);
    copy(code, HEADER, bytes);
    if let Some(asked) = strike.packets.protocol {
        code.load(Byte, R1, R10, HEADER + protocol);
        code.jump_if_number(NotEqual, R1, asked.number().into(), Label::Pass);
    }
    for (address, place) in
        [(strike.packets.source, source), (strike.packets.destination, destination)]
    {
        let octets = match address {
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
            None => continue,
        };
        for (word, offset) in octets.as_chunks::<4>().0.iter().zip((0..).step_by(4)) {
            code.load(Word, R1, R10, HEADER + place + offset);
            code.jump_if_number(NotEqual, R1, u32::from_ne_bytes(*word), Label::Pass);
        }
    }
}

/// Compares the ports that begin at the offset in `R2`.
fn ports(code: &mut Assembler, strike: &Strike) {
    copy(code, PORTS, 4);
    for (port, offset) in [(strike.packets.source_port, 0), (strike.packets.destination_port, 2)] {
        if let Some(port) = port {
            code.load(Half, R1, R10, PORTS + offset);
            code.jump_if_number(NotEqual, R1, port.to_be().into(), Label::Pass);
        }
    }
}

/// Copies bytes of the packet from the offset in `R2` to the stack.
fn copy(code: &mut Assembler, to: i16, bytes: i32) {
    code.register(Move, R1, R6);
    code.register(Move, R3, R10);
    code.number(Add, R3, to.into());
    code.number(Move, R4, bytes);
    code.number(Move, R5, FROM_NETWORK_HEADER);
    code.call(Helper::LoadBytesRelative);
    code.jump_if_number(NotEqual, R0, 0, Label::Pass);
}

/// Decides about the packet whose number is in `R8`: falls through or jumps to `Drop`, or jumps to
/// `Pass`.
fn law(code: &mut Assembler, law: LossLaw, seed: u64) {
    match law {
        LossLaw::Bernoulli { share } if share >= 1.0 => {}
        LossLaw::Bernoulli { share } => {
            draw(code, seed, 1, 0);
            pass_unless_below(code, share);
        }
        LossLaw::Nth { every } => {
            code.number(Add, R8, 1);
            code.number(Modulo, R8, every.cast_signed());
            code.jump_if_number(NotEqual, R8, 0, Label::Pass);
        }
        LossLaw::GilbertElliott { to_bad, to_good, loss_in_bad, loss_in_good } => {
            // The first number of the sequence was for the state at the beginning.
            draw(code, seed, 2, 1);
            code.load(Double, R9, R7, shared::BAD as i16);
            code.jump_if_number(NotEqual, R9, 0, Label::Bad);
            limit(code, to_bad);
            code.jump(Label::Moved);
            code.place(Label::Bad);
            limit(code, to_good);
            code.place(Label::Moved);
            code.jump_if(AtLeast, R1, R2, Label::Stay);
            code.number(Xor, R9, 1);
            code.store(Double, R7, shared::BAD as i16, R9);
            code.place(Label::Stay);
            draw(code, seed, 2, 2);
            code.jump_if_number(NotEqual, R9, 0, Label::DrawInBad);
            limit(code, loss_in_good);
            code.jump(Label::Leave);
            code.place(Label::DrawInBad);
            limit(code, loss_in_bad);
            code.place(Label::Leave);
            code.jump_if(AtLeast, R1, R2, Label::Pass);
        }
        // `obeys` admits no other.
        _ => code.jump(Label::Pass),
    }
}

/// Puts into `R1` the number of the sequence whose place is `per_packet` · `R8` + `first`, 53 bits of it.
fn draw(code: &mut Assembler, seed: u64, per_packet: i32, first: i32) {
    code.register(Move, R1, R8);
    code.number(Multiply, R1, per_packet);
    code.number(Add, R1, first + 1);
    code.wide(R2, STEP);
    code.register(Multiply, R1, R2);
    code.wide(R2, seed);
    code.register(Add, R1, R2);
    for (shift, factor) in MIX {
        fold(code, shift);
        code.wide(R2, factor);
        code.register(Multiply, R1, R2);
    }
    fold(code, 31);
    code.number(ShiftRight, R1, 64 - UNIT_BITS);
}

fn fold(code: &mut Assembler, shift: i32) {
    code.register(Move, R2, R1);
    code.number(ShiftRight, R2, shift);
    code.register(Xor, R1, R2);
}

/// Puts into `R2` the number below which a draw falls with this chance.
fn limit(code: &mut Assembler, share: f64) {
    // A share is a number of 53 bits over 2⁵³ as the draw is, so that nothing is rounded.
    code.wide(R2, (share * (1u64 << UNIT_BITS) as f64).ceil() as u64);
}

fn pass_unless_below(code: &mut Assembler, share: f64) {
    limit(code, share);
    code.jump_if(AtLeast, R1, R2, Label::Pass);
}
