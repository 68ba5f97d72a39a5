//! Links without root.

use bulkhead_lab::LinkOptions;

use crate::support::{Injection, PATIENCE, link, without_root};

#[test]
fn links_need_no_root_inside_a_user_namespace() {
    without_root("unprivileged::links_need_no_root_inside_a_user_namespace", inside);
}

fn inside() {
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
