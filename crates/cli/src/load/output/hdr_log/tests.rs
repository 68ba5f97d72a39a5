use std::time::{Duration, SystemTime};

use bulkhead_load::{Latencies, Row};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::HdrLog;

fn second(second: u64) -> (Row, Latencies) {
    let mut latencies = Latencies::default();
    for number in 0..500 * second {
        latencies.0.record(100 + number * 37 % 90_000).unwrap();
    }
    (Row { second, ..Row::default() }, latencies)
}

fn log(seconds: u64) -> Vec<u8> {
    let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_494_240_250);
    let mut log = HdrLog::begin(Vec::new(), started).unwrap();
    for (row, latencies) in (0..seconds).map(second) {
        log.on_row(&row, &latencies).unwrap();
    }
    log.finish().unwrap()
}

/// The base64 of RFC 4648 §4.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let (mut bytes, mut bits, mut value) = (Vec::new(), 0, 0u32);
    for digit in digits.map(|byte| LETTERS.iter().position(|l| *l == byte).unwrap() as u32) {
        value = value << 6 | digit;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits) as u8);
        }
    }
    bytes
}

#[test]
fn every_second_is_read_back_exactly() {
    let text = log(4);
    let mut all: Histogram<u64> = Latencies::default().0;
    let mut seconds = 0;
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(entry) = entry.unwrap() else { continue };
        let bytes = base64(entry.encoded_histogram());
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        let (_, expected) = second(seconds);
        assert_eq!(read, expected.0, "second {seconds}");
        assert_eq!(entry.start_timestamp(), Duration::from_secs(seconds));
        assert_eq!(entry.duration(), Duration::from_secs(1));
        assert_eq!(entry.tag().unwrap().as_str(), "latency");
        assert!((entry.max() - expected.0.max() as f64 / 1_000.0).abs() < 0.001);
        all.add(&read).unwrap();
        seconds += 1;
    }
    assert_eq!((seconds, all.len()), (4, 500 + 1_000 + 1_500));
}

#[test]
fn the_head_is_that_of_the_format() {
    let text = String::from_utf8(log(2)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "#[Histogram log format version 1.3]");
    assert_eq!(
        lines[1],
        "#[StartTime: 1795494240.250 (seconds since epoch), 2026-11-24 04:24 UTC]"
    );
    assert_eq!(lines.len(), 7, "{text}");
    assert!(lines[5].starts_with("Tag=latency,0.000,1.000,0.000,HIST"), "{text}");
}
