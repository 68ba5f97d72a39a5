use super::HostFault;
use crate::Fault;

#[track_caller]
fn check(json: &str, kind: &str, wrong: Option<&str>) {
    let fault: Fault = serde_json::from_str(&format!(r#"{{"host": {json}}}"#)).unwrap();
    assert_eq!(fault.kind(), kind);
    let Fault::Host(fault) = fault else { panic!("{json}") };
    assert_eq!(fault.check().map_err(|error| error.to_string()).err().as_deref(), wrong, "{json}");
}

#[test]
fn declarations_have_bounds() {
    let percent = Some("percent must be over 0 and up to 100");
    check(r#"{"cpu": {"threads": 1}}"#, "host.cpu", None);
    check(r#"{"cpu": {"threads": 0}}"#, "host.cpu", Some("threads must be 1 to 1024"));
    check(r#"{"cpu": {"threads": 1, "percent": 100.5}}"#, "host.cpu", percent);
    check(r#"{"memory": {"bytes": 4096}}"#, "host.memory", None);
    check(r#"{"memory": {"bytes": 0}}"#, "host.memory", Some("bytes must be 4 KiB to 1 TiB"));
    check(r#"{"memory": {"percent": 0}}"#, "host.memory", percent);
    check(r#"{"io": {"directory": "/tmp", "bytes": 4096}}"#, "host.io", None);
    let relative = Some("the directory `tmp` must be absolute");
    check(r#"{"io": {"directory": "tmp", "bytes": 4096}}"#, "host.io", relative);
    check(r#"{"disk_full": {"directory": "tmp"}}"#, "host.disk_full", relative);
    check(r#"{"disk_full": {"directory": "/mnt"}}"#, "host.disk_full", None);
    check(r#"{"descriptors": {"limit": 0}}"#, "host.descriptors", None);
    let limit = Some("bytes must be at least 1 MiB");
    check(r#"{"memory_limit": {"bytes": 4096}}"#, "host.memory_limit", limit);
}

#[test]
fn what_is_misspelt_is_refused() {
    for wrong in [
        r#"{"cpu": {"threads": 1, "percents": 5}}"#,
        r#"{"memory": {"percent": 5, "bytes": 4096}}"#,
        r#"{"memory": {}}"#,
        r#"{"disk": {"directory": "/"}}"#,
    ] {
        assert!(serde_json::from_str::<HostFault>(wrong).is_err(), "{wrong}");
    }
}
