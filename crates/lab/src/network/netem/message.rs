//! netem's options as rtnetlink has them (`linux/pkt_sched.h`).

use super::distribution;
use super::parameters::{Parameters, Setting};
use crate::network::netlink::{attributes, nested};

const TCA_NETEM_DELAY_DIST: u16 = 2;
const TCA_NETEM_REORDER: u16 = 3;
const TCA_NETEM_CORRUPT: u16 = 4;
const TCA_NETEM_LOSS: u16 = 5;
const TCA_NETEM_RATE: u16 = 6;
const TCA_NETEM_RATE64: u16 = 8;
const TCA_NETEM_LATENCY64: u16 = 10;
const TCA_NETEM_JITTER64: u16 = 11;
/// Since Linux 6.6; older kernels pass over it.
const TCA_NETEM_PRNG_SEED: u16 = 14;
const NETEM_LOSS_GE: u16 = 2;
/// `struct tc_netem_qopt`: latency, limit, loss, gap, duplicate, jitter, of 32 bits each.
const HEAD_WORDS: usize = 6;
const HEAD_BYTES: usize = 4 * HEAD_WORDS;

/// What a request says of a netem.
pub(super) fn options(setting: &Setting) -> Vec<u8> {
    let Parameters {
        delay_ns,
        jitter_ns,
        loss,
        bursts,
        overtaking,
        duplicate,
        corrupt,
        bytes_per_second,
        packet_overhead,
        limit,
    } = setting.parameters;
    // Each packet is one that may overtake, where any may.
    let gap = u32::from(overtaking > 0);
    // Times are told below, in nanoseconds.
    let mut bytes = words(&[0, limit, loss, gap, duplicate, 0]);
    let mut tell = |kind: u16, value: &[u8]| bytes.extend_from_slice(&nested(&[(kind, value)]));
    tell(TCA_NETEM_LATENCY64, &delay_ns.to_ne_bytes());
    tell(TCA_NETEM_JITTER64, &jitter_ns.to_ne_bytes());
    tell(TCA_NETEM_PRNG_SEED, &setting.seed.to_ne_bytes());
    if let Some(law) = setting.law {
        let table = distribution::table(law);
        let entries: Vec<u8> = table.iter().flat_map(|entry| entry.to_ne_bytes()).collect();
        tell(TCA_NETEM_DELAY_DIST, &entries);
    }
    if overtaking > 0 {
        tell(TCA_NETEM_REORDER, &words(&[overtaking, 0]));
    }
    if corrupt > 0 {
        tell(TCA_NETEM_CORRUPT, &words(&[corrupt, 0]));
    }
    if let Some(bursts) = bursts {
        tell(TCA_NETEM_LOSS, &nested(&[(NETEM_LOSS_GE, &words(&bursts))]));
    }
    if bytes_per_second > 0 {
        let rate = u32::try_from(bytes_per_second).unwrap_or(u32::MAX);
        tell(TCA_NETEM_RATE, &words(&[rate, packet_overhead.cast_unsigned(), 0, 0]));
        if rate == u32::MAX {
            tell(TCA_NETEM_RATE64, &bytes_per_second.to_ne_bytes());
        }
    }
    bytes
}

/// What the kernel says of a netem. `None`: it is of a kind that this does not know.
pub(super) fn read(options: &[u8]) -> Option<Parameters> {
    let head = options.get(..HEAD_BYTES)?;
    let mut parameters = Parameters {
        limit: word(head, 1)?,
        loss: word(head, 2)?,
        duplicate: word(head, 4)?,
        ..Parameters::default()
    };
    for (kind, value) in attributes(options.get(HEAD_BYTES..)?) {
        match kind {
            TCA_NETEM_LATENCY64 => parameters.delay_ns = long(value)?,
            TCA_NETEM_JITTER64 => parameters.jitter_ns = long(value)?,
            TCA_NETEM_REORDER => parameters.overtaking = word(value, 0)?,
            TCA_NETEM_CORRUPT => parameters.corrupt = word(value, 0)?,
            TCA_NETEM_LOSS => {
                let (NETEM_LOSS_GE, model) = attributes(value).next()? else { return None };
                let numbers = [0, 1, 2, 3].map(|place| word(model, place));
                parameters.bursts = Some([numbers[0]?, numbers[1]?, numbers[2]?, numbers[3]?]);
            }
            TCA_NETEM_RATE => {
                parameters.bytes_per_second =
                    parameters.bytes_per_second.max(u64::from(word(value, 0)?));
                parameters.packet_overhead = word(value, 1)?.cast_signed();
            }
            TCA_NETEM_RATE64 => parameters.bytes_per_second = long(value)?,
            _ => {}
        }
    }
    Some(parameters)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn word(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(4 * place..)?.first_chunk()?))
}

fn long(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::JitterLaw;

    use super::super::parameters::{Parameters, Setting};
    use super::{HEAD_BYTES, TCA_NETEM_DELAY_DIST, options, read, word};
    use crate::network::netlink::attributes;

    const ALL: Parameters = Parameters {
        delay_ns: 40_000_000,
        jitter_ns: 5_000_000_000,
        loss: 0,
        bursts: Some([1, 2, 3, 4]),
        overtaking: 5,
        duplicate: 6,
        corrupt: 7,
        bytes_per_second: 125_000,
        packet_overhead: -14,
        limit: 8,
    };

    fn setting(parameters: Parameters) -> Setting {
        Setting { parameters, law: None, seed: 9 }
    }

    #[test]
    fn what_is_told_is_read_again() {
        assert_eq!(read(&options(&setting(ALL))), Some(ALL));
        let plain = Parameters { loss: 1 << 30, limit: 1, ..Parameters::default() };
        let bytes = options(&setting(plain));
        assert_eq!(read(&bytes), Some(plain));
        assert_eq!(word(&bytes, 3), Some(0), "no gap without reordering");
        let fast = Parameters { bytes_per_second: 1 << 40, ..ALL };
        assert_eq!(read(&options(&setting(fast))), Some(fast));
    }

    #[test]
    fn a_table_goes_along_with_its_law() {
        let setting = Setting { law: Some(JitterLaw::Normal), ..setting(ALL) };
        let bytes = options(&setting);
        let tables = attributes(&bytes[HEAD_BYTES..]).filter(|it| it.0 == TCA_NETEM_DELAY_DIST);
        let lengths: Vec<usize> = tables.map(|(_, table)| table.len()).collect();
        assert_eq!(lengths, [2 * 16_384]);
        assert!(bytes.len() < usize::from(u16::MAX), "an attribute has 16 bits of length");
    }

    #[test]
    fn what_is_cut_off_is_not_understood() {
        let bytes = options(&setting(ALL));
        assert_eq!(read(&bytes[..HEAD_BYTES - 1]), None);
        assert_eq!(read(&[]), None);
    }
}
