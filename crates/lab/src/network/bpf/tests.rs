use std::net::UdpSocket;
use std::time::Duration;

use bulkhead_chaos::{LossLaw, PacketMatch, Strike, Transport};
use rustix::net::RecvFlags;

use super::Bpf;
use super::assembler::{Assembler, Condition, Helper, Label, Operation, Register, Width};
use crate::Namespace;
use crate::network::carrier::{Mechanism as _, StrikePlan};

fn plan(index: u32, strikes: Vec<Strike>, seed: u64) -> StrikePlan {
    StrikePlan {
        id: u128::MAX - u128::from(seed),
        name: "bulkhead_chaos_test".to_owned(),
        interface: "lo".to_owned(),
        index,
        strikes,
        time_to_live: Duration::from_secs(60),
        seed,
    }
}

/// In a namespace of the test's own, if the host lets us be there and lets programs in.
fn with_loopback(test: impl FnOnce() + Send) {
    let Ok(namespace) = Namespace::new() else {
        return eprintln!("skipped: this host lets us make no namespaces");
    };
    namespace
        .enter(|| match Bpf.rehearse(&plan(1, vec![strike(all(), LossLaw::Nth { every: 2 })], 1)) {
            Ok(()) => test(),
            Err(error) => eprintln!("skipped: no programs here: {error}"),
        })
        .unwrap();
}

fn all() -> PacketMatch {
    PacketMatch::default()
}

fn strike(packets: PacketMatch, law: LossLaw) -> Strike {
    Strike { packets, law }
}

/// Which of so many packets to the port arrive.
fn arrivals(from: &UdpSocket, to: &UdpSocket, count: u32) -> Vec<bool> {
    let mut arrived = vec![false; count as usize];
    let mut take = || {
        let mut bytes = [0; 4];
        while rustix::net::recv(to, &mut bytes[..], RecvFlags::DONTWAIT).is_ok() {
            arrived[u32::from_ne_bytes(bytes) as usize] = true;
        }
    };
    for number in 0..count {
        from.send_to(&number.to_ne_bytes(), to.local_addr().unwrap()).unwrap();
        take();
    }
    // Another processor may still have some in hand.
    to.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut bytes = [0; 4];
    while to.recv(&mut bytes).is_ok() {
        arrived[u32::from_ne_bytes(bytes) as usize] = true;
    }
    arrived
}

#[test]
fn each_packet_meets_the_fate_that_the_model_gives_it() {
    let bursts = LossLaw::GilbertElliott {
        to_bad: 0.05,
        to_good: 0.3,
        loss_in_bad: 0.8,
        loss_in_good: 0.02,
    };
    with_loopback(|| {
        for (law, seed) in [
            (LossLaw::Bernoulli { share: 0.12 }, 1),
            (LossLaw::Bernoulli { share: 1.0 }, 2),
            (LossLaw::Nth { every: 3 }, 3),
            (bursts, 4),
            (bursts, u64::MAX - 7),
        ] {
            let from = UdpSocket::bind("127.0.0.1:0").unwrap();
            let to = UdpSocket::bind("127.0.0.1:0").unwrap();
            let packets = PacketMatch {
                protocol: Some(Transport::Udp),
                destination_port: Some(to.local_addr().unwrap().port()),
                ..all()
            };
            let plan = plan(1, vec![strike(packets, law)], seed);
            let holding = Bpf.strike(&plan).unwrap();
            let arrived = arrivals(&from, &to, 3_000);
            let expected: Vec<bool> = law.fates(seed).take(3_000).map(|lost| !lost).collect();
            assert!(arrived == expected, "{law:?}");
            let sight = Bpf.look(&plan).unwrap().unwrap();
            let lost = arrived.iter().filter(|arrived| !**arrived).count() as u64;
            assert_eq!((sight.counts[0].seen, sight.counts[0].struck), (3_000, lost), "{law:?}");
            Bpf.release(&plan, holding).unwrap();
            assert_eq!(Bpf.look(&plan).unwrap(), None);
        }
    });
}

#[test]
fn every_match_is_a_program_that_the_kernel_accepts() {
    let v4 = Some("10.0.0.1".parse().unwrap());
    let v6 = Some("fd00::1".parse().unwrap());
    let law = LossLaw::Bernoulli { share: 0.5 };
    with_loopback(|| {
        for packets in [
            PacketMatch { protocol: Some(Transport::Tcp), ..all() },
            PacketMatch { source: v4, ..all() },
            PacketMatch { source: v6, destination: v6, ..all() },
            PacketMatch {
                protocol: Some(Transport::Udp),
                destination: v4,
                source_port: Some(1),
                destination_port: Some(65_535),
                ..all()
            },
            PacketMatch {
                protocol: Some(Transport::Tcp),
                source: v6,
                source_port: Some(443),
                ..all()
            },
        ] {
            Bpf.rehearse(&plan(1, vec![strike(packets, law)], 1)).unwrap();
        }
    });
}

#[test]
fn instructions_are_encoded_as_the_standard_says() {
    let mut code = Assembler::default();
    code.number(Operation::Move, Register::R0, -1);
    code.load(Width::Half, Register::R1, Register::R10, -42);
    code.jump_if_number(Condition::NotEqual, Register::R1, 7, Label::Pass);
    code.wide(Register::R2, 0x1122_3344_5566_7788);
    code.fetch_add(Register::R7, 8, Register::R8);
    code.call(Helper::Now);
    code.place(Label::Pass);
    code.exit();
    let bytes: Vec<[u8; 8]> = code.finish().iter().map(|it| it.to_le_bytes()).collect();
    assert_eq!(
        bytes,
        [
            [0xb7, 0x00, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [0x69, 0xa1, 0xd6, 0xff, 0, 0, 0, 0],
            [0x56, 0x01, 4, 0, 7, 0, 0, 0],
            [0x18, 0x02, 0, 0, 0x88, 0x77, 0x66, 0x55],
            [0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11],
            [0xdb, 0x87, 8, 0, 1, 0, 0, 0],
            [0x85, 0, 0, 0, 5, 0, 0, 0],
            [0x95, 0, 0, 0, 0, 0, 0, 0],
        ]
    );
}
