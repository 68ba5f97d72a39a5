use std::fs;

use bulkhead_message::{Outcome, Version};

use super::*;

fn record() -> ExchangeRecord<'static> {
    ExchangeRecord {
        client: None,
        method: b"GET",
        authority: b"example.test",
        target: b"/",
        version: Version::Http11,
        route: "",
        cluster: "",
        endpoint: "",
        status: 200,
        grpc_status: None,
        tunnel: None,
        outcome: Outcome::Complete,
        attempts: 1,
        request_bytes: 0,
        response_bytes: 0,
        duration: Duration::ZERO,
        revision: 1,
        request_id: None,
        fault: None,
        fault_group: None,
        tls: None,
    }
}

/// A path of its own for each test; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("bulkhead-access-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lines(path: &std::path::Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn lines_of_all_writers_arrive() {
    let scratch = Scratch::new("writers");
    let path = scratch.0.join("access.log");
    let options =
        AccessLogOptions { target: AccessLogTarget::File(path.clone()), with_query: false };
    let log = AccessLog::start(options).unwrap();
    let (mut first, mut second) = (log.writer(), log.writer());
    for _ in 0..1_000 {
        first.write(&record(), Duration::ZERO);
    }
    second.write(&record(), Duration::ZERO);
    drop(first);
    drop(second);
    assert_eq!(log.failed(), 0);
    log.close();
    assert_eq!(lines(&path), 1_001);
}

#[test]
fn rotated_file_is_made_anew() {
    let scratch = Scratch::new("rotate");
    let (path, old) = (scratch.0.join("access.log"), scratch.0.join("access.log.1"));
    let options =
        AccessLogOptions { target: AccessLogTarget::File(path.clone()), with_query: false };
    let log = AccessLog::start(options).unwrap();
    let mut writer = log.writer();
    writer.write(&record(), Duration::ZERO);
    writer.flush();
    fs::rename(&path, &old).unwrap();
    log.reopen();
    writer.write(&record(), Duration::ZERO);
    writer.write(&record(), Duration::ZERO);
    writer.flush();
    log.close();
    // The first line is in the old file, wherever the thread was when it was renamed.
    assert_eq!((lines(&old), lines(&path)), (1, 2));
}

#[test]
fn full_queue_drops_and_counts() {
    let (sender, receiver) = sync_channel(1);
    let mut writer = AccessLogWriter {
        buffer: Vec::new(),
        lines: 0,
        dropped: 0,
        sender,
        second: line::SecondText::default(),
        with_query: false,
    };
    for _ in 0..3 {
        writer.write(&record(), Duration::ZERO);
        writer.write(&record(), Duration::ZERO);
        writer.flush();
    }
    assert_eq!(writer.dropped(), 4, "the queue holds one batch of two lines");
    assert!(matches!(receiver.try_recv(), Ok(Message::Batch { lines: 2, .. })));
    drop(receiver);
    writer.write(&record(), Duration::ZERO);
    writer.flush();
    assert_eq!(writer.dropped(), 5, "and a closed log takes none");
}

#[test]
fn a_slow_log_drops_what_finds_no_room_and_is_fast_again_at_once() {
    let scratch = Scratch::new("slow");
    let path = scratch.0.join("access.log");
    let options =
        AccessLogOptions { target: AccessLogTarget::File(path.clone()), with_query: false };
    let log = AccessLog::start(options).unwrap();
    let slowness = log.slowness();
    slowness.add(600_000);
    let mut writer = log.writer();
    let batches = ACCESS_LOG_QUEUE_BATCHES + 50;
    for _ in 0..batches {
        writer.write(&record(), Duration::ZERO);
        writer.flush();
    }
    // One is with the thread, at most.
    let dropped = writer.dropped();
    assert!((49..=50).contains(&dropped), "{dropped}");
    slowness.take_back(600_000);
    log.close();
    assert_eq!(slowness.delayed(), 1, "the others came later");
    assert_eq!(lines(&path) + dropped as usize, batches);
}

#[test]
fn missing_directory_is_an_error() {
    let path = PathBuf::from("/nonexistent/access.log");
    let options = AccessLogOptions { target: AccessLogTarget::File(path), with_query: false };
    let error = AccessLog::start(options).unwrap_err();
    assert_eq!(error.to_string(), "open access log `/nonexistent/access.log`");
}
