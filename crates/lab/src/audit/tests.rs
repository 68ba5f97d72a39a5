use std::fs;
use std::io::Write;

use serde_json::json;

use super::{AuditHead, AuditLog};

#[test]
fn a_log_goes_on_where_it_ended_and_half_a_line_is_cut_off() {
    let directory = std::env::temp_dir().join(format!("bulkhead-audit-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("audit.log");
    let _ = fs::remove_file(&path);
    for round in 0..3 {
        let mut log = AuditLog::open(&path).unwrap();
        log.append(round, "somebody", "inject", json!({"round": round})).unwrap();
        log.append(round, "somebody", "revert", json!({})).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq").unwrap();
    }
    let log = AuditLog::open(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let head = AuditHead::verify(&text, None).unwrap();
    assert_eq!((head.entries, &head), (6, log.head()));
    fs::remove_dir_all(&directory).unwrap();
}
