use super::*;

#[test]
fn reads_fields() {
    assert_eq!(field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
    assert_eq!(
        field("Max open files            1024   4096  files\n", "Max open files"),
        Some(1024)
    );
    assert_eq!(field("nothing", "VmRSS:"), None);
    let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0";
    assert_eq!(cpu_seconds(stat), Some(2.0));
    assert_eq!(cpu_seconds("garbage"), None);
}

#[test]
#[cfg(target_os = "linux")]
fn reads_this_process() {
    let facts = ProcessFacts::read();
    assert!(facts.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{facts:?}");
    assert!(facts.open_files.is_some_and(|files| files >= 3), "{facts:?}");
    assert!(facts.cpu_seconds.is_some() && facts.open_files_max.is_some(), "{facts:?}");
}
