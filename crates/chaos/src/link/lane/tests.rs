mod laws;

use std::time::Duration;

use super::{
    Arrival, COPIES_MAX, ENDED_MAX, Effect, HELD_PACKETS_MAX, Impairment, Lane, Released,
    STAGES_MAX, StageKey,
};
use crate::fault::ReorderPolicy;
use crate::link::{DnsAct, Jitter, JitterLaw, LossLaw, PacketKind, Reply, ResetLaw, TcpPacket};

const LENGTH: usize = 1_000;
const FOREVER: Duration = Duration::MAX;
const DATA: PacketKind = PacketKind::Tcp(TcpPacket {
    flow: 1,
    sequence: 0,
    bytes: 10,
    opens: false,
    is_dns_query: false,
});

pub(super) fn lane(impairments: &[Impairment], seed: u64) -> Lane {
    let mut lane = Lane::new();
    for (key, impairment) in impairments.iter().enumerate() {
        lane.add(key as u128, impairment, seed + key as u64, FOREVER).unwrap();
    }
    lane
}

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn delay(base: Duration) -> Impairment {
    Impairment::Delay { base, jitter: None, reorder: ReorderPolicy::Preserve }
}

fn slots(lane: &mut Lane, now: Duration) -> Vec<u32> {
    std::iter::from_fn(|| lane.pop(now)).map(|released| released.slot).collect()
}

#[test]
fn a_lane_without_faults_passes_at_once() {
    let mut lane = Lane::new();
    assert_eq!(lane.push(ms(5), LENGTH, 3, PacketKind::Other).copies, 1);
    let released = lane.pop(ms(5)).unwrap();
    assert_eq!(released, Released { slot: 3, length: LENGTH, flip: None, due: ms(5) });
    assert_eq!((lane.pop(ms(5)), lane.next_event()), (None, None));
    assert_eq!((lane.counts().delivered, lane.counts().delayed), (1, 0));
}

#[test]
fn a_delay_keeps_a_packet_until_its_time() {
    let mut lane = lane(&[delay(ms(40))], 1);
    lane.push(ms(10), LENGTH, 0, PacketKind::Other);
    assert_eq!(lane.next_event(), Some(ms(50)));
    assert_eq!(lane.pop(ms(50) - Duration::from_nanos(1)), None);
    assert_eq!(lane.pop(ms(51)).unwrap().due, ms(50));
    assert_eq!(lane.counts().delay_total, ms(40));
}

#[test]
fn faults_compose() {
    let nth = Impairment::Loss(LossLaw::Nth { every: 2 });
    let mut lane = lane(&[delay(ms(40)), nth, delay(ms(2))], 1);
    for slot in 0..4 {
        lane.push(ms(0), LENGTH, slot, PacketKind::Other);
    }
    assert_eq!(slots(&mut lane, ms(41)), [] as [u32; 0]);
    assert_eq!(slots(&mut lane, ms(42)), [0, 2]);
    let counts: Vec<_> = lane.stages().map(|stage| (stage.seen, stage.struck)).collect();
    assert_eq!(counts, [(4, 4), (4, 2), (2, 2)]);
}

#[test]
fn order_is_kept_or_not_as_is_asked() {
    let jitter = Jitter { law: JitterLaw::Uniform, spread: ms(40), hold: Duration::ZERO };
    for (reorder, kept) in [(ReorderPolicy::Preserve, true), (ReorderPolicy::Allow, false)] {
        let delay = Impairment::Delay { base: ms(40), jitter: Some(jitter), reorder };
        let mut lane = lane(&[delay], 7);
        for slot in 0..1_000 {
            lane.push(
                Duration::from_micros(u64::from(slot) * 100),
                LENGTH,
                slot,
                PacketKind::Other,
            );
        }
        let left = slots(&mut lane, ms(1_000));
        assert_eq!(left.is_sorted(), kept);
        assert_eq!(lane.counts().reordered == 0, kept);
        assert_eq!(left.len(), 1_000);
    }
}

#[test]
fn a_drawn_delay_can_last() {
    let jitter = Jitter { law: JitterLaw::Uniform, spread: ms(40), hold: ms(10) };
    let delay =
        Impairment::Delay { base: ms(40), jitter: Some(jitter), reorder: ReorderPolicy::Allow };
    let mut lane = lane(&[delay], 7);
    let mut delays = Vec::new();
    for at in 0..40 {
        lane.push(ms(at), LENGTH, 0, PacketKind::Other);
        while let Some(released) = lane.pop(ms(1_000)) {
            delays.push(released.due - ms(at));
        }
    }
    for tenth in delays.chunks(10) {
        assert!(tenth.iter().all(|&delay| delay == tenth[0]), "{tenth:?}");
    }
    assert_ne!(delays[0], delays[10]);
}

#[test]
fn a_renewed_fault_draws_on_as_if_it_had_been_there_for_so_long() {
    let loss = Impairment::Loss(LossLaw::Bernoulli { share: 0.5 });
    let mut whole = Lane::new();
    whole.add(7, &loss, 42, FOREVER).unwrap();
    let mut fate = |at| whole.push(ms(at), LENGTH, 0, PacketKind::Other).copies;
    let expected: Vec<usize> = (0..100).map(&mut fate).collect();

    let mut lane = Lane::new();
    lane.add(7, &loss, 42, ms(50)).unwrap();
    let mut seen = Vec::new();
    for at in 0..100 {
        // Each time just before the end that it had so far.
        if at % 40 == 39 {
            assert!(lane.renew(7, ms(at + 50)));
        }
        lane.expire(ms(at));
        seen.push(lane.push(ms(at), LENGTH, 0, PacketKind::Other).copies);
    }
    assert_eq!(seen, expected);
    assert_eq!(lane.stages().next().map(|stage| stage.seen), Some(100), "counted on");

    lane.expire(ms(129));
    assert!(lane.is_free(), "the last renewal ends too");
    assert!(!lane.renew(7, ms(500)) && lane.is_free(), "what is over is not brought back");
}

#[test]
fn a_partition_lets_nothing_pass_until_it_expires() {
    let mut lane = Lane::new();
    lane.add(1, &Impairment::Partition, 1, ms(100)).unwrap();
    assert_eq!(lane.next_event(), Some(ms(100)));
    lane.expire(ms(99));
    assert_eq!(lane.push(ms(99), LENGTH, 0, PacketKind::Other).copies, 0);
    lane.expire(ms(100));
    assert_eq!(lane.push(ms(100), LENGTH, 0, PacketKind::Other).copies, 1);
    assert_eq!((lane.counts().cut, lane.is_free()), (1, true));
}

#[test]
fn what_waits_leaves_at_once_when_the_last_fault_is_taken_back() {
    let mut lane = lane(&[delay(ms(40)), delay(ms(2))], 1);
    lane.push(ms(0), LENGTH, 0, PacketKind::Other);
    lane.remove(1);
    assert_eq!(lane.pop(ms(1)), None);
    // The order holds although the later one has less delay.
    lane.push(ms(1), LENGTH, 1, PacketKind::Other);
    lane.remove(0);
    assert_eq!(slots(&mut lane, ms(2)), [0, 1]);
    lane.push(ms(3), LENGTH, 2, PacketKind::Other);
    assert_eq!(slots(&mut lane, ms(3)), [2]);
}

#[test]
fn a_bandwidth_spaces_packets_and_drops_what_does_not_fit() {
    let bandwidth = Impairment::Bandwidth {
        bytes_per_second: 1e6,
        burst_bytes: 0,
        queue_bytes: 3 * LENGTH as u32,
    };
    let mut lane = lane(&[bandwidth], 1);
    let copies: Vec<usize> =
        (0..5).map(|slot| lane.push(ms(0), LENGTH, slot, PacketKind::Other).copies).collect();
    assert_eq!(copies, [1, 1, 1, 0, 0]);
    let due: Vec<_> = std::iter::from_fn(|| lane.pop(ms(9))).map(|it| it.due).collect();
    assert_eq!(due, [ms(1), ms(2), ms(3)]);
    assert_eq!((lane.counts().overflowed, lane.counts().lost), (2, 0));
}

#[test]
fn a_burst_passes_after_a_pause() {
    let bandwidth = Impairment::Bandwidth {
        bytes_per_second: 1e6,
        burst_bytes: 2 * LENGTH as u32,
        queue_bytes: 100_000,
    };
    let mut lane = lane(&[bandwidth], 1);
    for slot in 0..4 {
        lane.push(ms(100), LENGTH, slot, PacketKind::Other);
    }
    let due: Vec<_> = std::iter::from_fn(|| lane.pop(ms(999))).map(|it| it.due).collect();
    assert_eq!(due, [ms(100), ms(100), ms(101), ms(102)]);
}

#[test]
fn copies_and_waiting_packets_are_bounded() {
    let twice = Impairment::Duplicate { share: 1.0 };
    let mut many = lane(&[twice; 5], 1);
    assert_eq!(many.push(ms(0), LENGTH, 0, PacketKind::Other).copies, COPIES_MAX);

    let mut full = lane(&[delay(ms(40))], 1);
    let memory = full.held.capacity();
    for slot in 0..HELD_PACKETS_MAX as u32 {
        assert_eq!(full.push(ms(0), LENGTH, slot, PacketKind::Other).copies, 1);
    }
    assert_eq!(full.push(ms(0), LENGTH, 0, PacketKind::Other).copies, 0);
    assert_eq!((full.counts().overflowed, full.held.capacity()), (1, memory));

    for key in 5..STAGES_MAX as u128 {
        many.add(key, &twice, 1, FOREVER).unwrap();
    }
    assert!(many.add(99, &twice, 1, FOREVER).is_err());
    assert!(many.add(0, &twice, 1, FOREVER).is_ok(), "the same key takes its own place");
}

#[test]
fn a_reset_strikes_data_of_tcp_alone() {
    let mut lane = lane(&[Impairment::Reset { law: ResetLaw::Share(1.0) }], 1);
    let opens = TcpPacket { flow: 1, opens: true, ..TcpPacket::default() };
    for kind in [PacketKind::Other, PacketKind::DnsQuery, PacketKind::Tcp(opens)] {
        assert_eq!(lane.push(ms(0), LENGTH, 0, kind).copies, 1);
    }
    let pushed = lane.push(ms(0), LENGTH, 1, DATA);
    assert_eq!((pushed.reply, pushed.copies), (Some(Reply::Reset), 0));
    assert_eq!(lane.counts().replied, 1);
}

#[test]
fn queries_of_dns_are_answered_dropped_or_held_back() {
    let act = |act| {
        let mut lane = lane(&[Impairment::Dns { share: 1.0, act }], 1);
        let others = [PacketKind::Other, DATA];
        assert!(others.iter().all(|&kind| lane.push(ms(0), LENGTH, 0, kind).copies == 1));
        let pushed = lane.push(ms(0), LENGTH, 1, PacketKind::DnsQuery);
        (pushed.reply, pushed.copies, slots(&mut lane, ms(5)).len(), lane.counts().lost)
    };
    let code = 3;
    assert_eq!(act(DnsAct::Answer { code }), (Some(Reply::Dns { code }), 0, 2, 0));
    assert_eq!(act(DnsAct::Drop), (None, 0, 2, 1));
    assert_eq!(act(DnsAct::HoldBack { by: ms(6) }), (None, 1, 2, 0));
    assert_eq!(act(DnsAct::HoldBack { by: ms(5) }), (None, 1, 3, 0));
}

#[test]
fn a_connection_is_reset_when_its_bytes_have_passed() {
    let mut lane = lane(&[Impairment::Reset { law: ResetLaw::AfterBytes(1_000) }], 1);
    let mut push = |flow, sequence, bytes, opens| {
        let tcp = TcpPacket { flow, sequence, bytes, opens, is_dns_query: false };
        let pushed = lane.push(ms(0), LENGTH, 0, PacketKind::Tcp(tcp));
        assert_eq!(pushed.copies, usize::from(pushed.reply.is_none()));
        pushed.reply == Some(Reply::Reset)
    };
    assert!(!push(1, 77, 0, true));
    assert!(!push(1, 77, 600, false));
    assert!(!push(2, 5, 900, false), "each connection has its own count");
    assert!(!push(1, 677, 400, false), "exactly so many");
    assert!(!push(1, 677, 400, false), "what comes again does not count again");
    assert!(push(1, 1_077, 1, false));
    assert!(push(1, 1_077, 1, false), "and again, as long as it is not opened anew");
    assert!(push(2, 905, 101, false));
    assert!(!push(1, 5_000, 0, true));
    assert!(!push(1, 5_000, 1_000, false));
}

#[test]
fn a_query_over_tcp_and_its_repetition_share_their_fate() {
    let query = |sequence| {
        let tcp = TcpPacket { flow: 9, sequence, bytes: 30, opens: false, is_dns_query: true };
        PacketKind::Tcp(tcp)
    };
    let mut lane = lane(&[Impairment::Dns { share: 0.3, act: DnsAct::Drop }], 1);
    let mut struck = 0;
    for sequence in 0..1_000 {
        let first = lane.push(ms(0), LENGTH, 0, query(sequence)).copies;
        assert_eq!(lane.push(ms(0), LENGTH, 0, query(sequence)).copies, first, "{sequence}");
        struck += 1 - first;
        slots(&mut lane, ms(0));
    }
    // 300 are expected, with a standard deviation of 14.5.
    assert!((230..=370).contains(&struck), "{struck}");
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let lost = |seed| {
        let law = LossLaw::Bernoulli { share: 0.5 };
        let mut lane = lane(&[Impairment::Loss(law)], seed);
        (0..64).map(|_| lane.push(ms(0), LENGTH, 0, PacketKind::Other).copies).collect::<Vec<_>>()
    };
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
}

#[test]
fn what_a_fault_did_to_others_is_known_after_it_has_ended() {
    let mut lane = Lane::new();
    let every_other = Impairment::Loss(LossLaw::Nth { every: 2 });
    lane.add(1, &every_other, 1, ms(100)).unwrap();
    lane.add(2, &Impairment::Partition, 1, ms(50)).unwrap();
    let arrival = |is_probe| Arrival { length: LENGTH, slot: 0, kind: PacketKind::Other, is_probe };
    for place in 0..12 {
        lane.admit(ms(place), arrival(place >= 8));
    }
    // The first loses every other one, so that the second has half of them.
    let effects = [(1, 4, 8), (2, 4, 4)];
    let check = |lane: &Lane| {
        for (key, hits, seen) in effects {
            assert_eq!(lane.effect(key), Some(Effect { hits, seen }), "{key}");
        }
    };
    check(&lane);
    assert_eq!(lane.stages().map(|it| it.struck).collect::<Vec<_>>(), [6, 6], "probes are struck");
    lane.expire(ms(50));
    lane.remove(1);
    assert!(lane.is_free());
    check(&lane);
    assert_eq!(lane.effect(3), None);
    for key in 10..10 + ENDED_MAX as StageKey - 1 {
        lane.add(key, &Impairment::Partition, 1, ms(1_000)).unwrap();
        lane.remove(key);
    }
    assert_eq!(lane.effect(2), None, "the one that ended first is forgotten first");
    assert!(lane.effect(1).is_some());
}
