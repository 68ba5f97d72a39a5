use std::io;

use super::{Counts, HEAD_BYTES, KIND, Queue, header_bytes, put, rehearse, request, take};
use crate::Namespace;
use crate::network::interface;
use crate::network::netem::parameters::{Parameters, Setting};
use crate::network::netlink::{CREATE, nested, text};

const SETTING: Setting = Setting {
    parameters: Parameters {
        delay_ns: 5_000_000,
        jitter_ns: 0,
        loss: 1 << 30,
        bursts: None,
        overtaking: 0,
        duplicate: 0,
        corrupt: 0,
        bytes_per_second: 0,
        packet_overhead: 0,
        limit: 100,
    },
    law: None,
    seed: 1,
};

#[test]
fn a_request_names_interface_handle_and_root() {
    let bytes = request(super::RTM_NEWQDISC, CREATE, 7, 0x4abc).finish();
    let word = |place: usize| u32::from_ne_bytes(*bytes[16 + place..].first_chunk().unwrap());
    assert_eq!((word(4), word(8), word(12)), (7, 0x4abc_0000, u32::MAX));
    assert_eq!(&bytes[16 + HEAD_BYTES..][4..10], b"netem\0");
    let flags = u16::from_ne_bytes(*bytes[6..].first_chunk().unwrap());
    assert_eq!(flags & 0x700, 0x600, "what is there is not replaced");
}

#[test]
fn queues_are_read_with_their_counts() {
    let counts = nested(&[
        (super::TCA_STATS_BASIC, &[[0; 8].as_slice(), &90u32.to_ne_bytes(), &[0; 4]].concat()),
        (super::TCA_STATS_QUEUE, &[3u32, 4_096, 7, 0, 0].map(u32::to_ne_bytes).concat()),
    ]);
    let options = super::message::options(&SETTING);
    let bytes = nested(&[
        (super::TCA_KIND, &text(KIND)),
        (super::TCA_OPTIONS, &options),
        (super::TCA_STATS2, &counts),
    ]);
    let queue = Queue::read(0x4abc, &bytes);
    assert!(queue.is_netem(0x4abc) && !queue.is_netem(0x4abd) && !queue.is_default());
    assert_eq!(queue.counts, Counts { passed: 90, dropped: 7, waiting: 3 });
    assert_eq!(queue.parameters, Some(SETTING.parameters));
    let other = Queue::read(0x4abc, &nested(&[(super::TCA_KIND, &text("prio"))]));
    assert!(!other.is_netem(0x4abc) && other.parameters.is_none());
}

/// Against the kernel of this host, at the loopback interface of a namespace of the test's own.
#[test]
fn the_kernel_says_whether_it_has_netem() {
    let Ok(namespace) = Namespace::new() else {
        return eprintln!("skipped: this host lets us make no namespaces");
    };
    namespace
        .enter(|| {
            let index = interface::index("lo").unwrap();
            assert_eq!(header_bytes(index).unwrap(), 14);
            let before = Queue::of(index).unwrap();
            assert!(before.is_default() && before.kind == "noqueue", "{before:?}");
            match rehearse(index, 0x4abc) {
                Ok(()) => {
                    assert_eq!(Queue::of(index).unwrap(), before, "a rehearsal changes nothing");
                    put(index, 0x4abc, &SETTING).unwrap();
                    let queue = Queue::of(index).unwrap();
                    assert_eq!(queue.parameters, Some(SETTING.parameters));
                    let again = put(index, 0x4abd, &SETTING).unwrap_err();
                    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
                    assert!(take(index, 0x4abd).is_err(), "only the one of the handle");
                    take(index, 0x4abc).unwrap();
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
                    let error = put(index, 0x4abc, &SETTING).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
                }
            }
            assert_eq!(Queue::of(index).unwrap(), before);
        })
        .unwrap();
}
