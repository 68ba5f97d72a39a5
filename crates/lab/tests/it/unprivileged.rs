//! Links without root: the test starts itself anew in a user namespace.

use std::process::Command;

use bulkhead_lab::LinkOptions;
use bulkhead_transport::start_in_user_namespace;

use crate::support::{Injection, PATIENCE, link};

/// Set in the process that is inside.
const INSIDE: &str = "BULKHEAD_TEST_IN_USER_NAMESPACE";

#[test]
fn links_need_no_root_inside_a_user_namespace() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "unprivileged::links_need_no_root_inside_a_user_namespace"]);
    command.args(["--nocapture"]).env(INSIDE, "1");
    start_in_user_namespace(&mut command);
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}{errors}");
            assert!(text.contains("1 passed"), "{text}");
            eprint!("{errors}");
        }
        Err(error) => eprintln!("skipped: this host has no user namespaces for us: {error}"),
    }
}

fn inside() {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    assert!(!map.contains("4294967295"), "this is the first user namespace: {map}");
    let Some(link) = link("rootless", &LinkOptions::default()) else { return };
    let loss = r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#;
    let injection = Injection::new(&link, loss, PATIENCE);
    injection.inject();
    let evidence = injection.verify();
    assert!(evidence.holds, "{}", evidence.seen);
    injection.revert();
    let evidence = injection.verify_reverted();
    assert!(evidence.holds, "{}", evidence.seen);
}
