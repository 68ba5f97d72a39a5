use std::collections::BTreeSet;

use super::FAULT_KINDS;
use crate::{Fault, HttpFault};

/// Keys of a fault in exchanges that are no effects.
const CONDITIONS: [&str; 8] = [
    "percent",
    "listener",
    "route",
    "cluster",
    "endpoint",
    "headers",
    "active_max",
    "control_group",
];

/// What serde expects in place of a name that there is not.
fn expected(error: &serde_json::Error) -> Vec<String> {
    let text = error.to_string();
    let (_, names) = text.split_once("expected").unwrap();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A kind that can be declared and is not listed would be left out silently, also of benches.
#[test]
fn every_kind_that_can_be_declared_is_listed() {
    let odd = |family: &str| format!(r#"{{"{family}": {{"nothing": {{}}}}}}"#);
    let families = expected(&serde_json::from_str::<Fault>(r#"{"nothing": 1}"#).unwrap_err());
    assert!(families.len() >= 5, "{families:?}");
    let mut declared = BTreeSet::new();
    for family in families {
        let names = if family == "http" {
            expected(&serde_json::from_str::<HttpFault>(r#"{"nothing": 1}"#).unwrap_err())
        } else {
            expected(&serde_json::from_str::<Fault>(&odd(&family)).unwrap_err())
        };
        let kinds = names.iter().filter(|name| !CONDITIONS.contains(&name.as_str()));
        declared.extend(kinds.map(|name| format!("{family}.{name}")));
    }
    let known: BTreeSet<String> = FAULT_KINDS.iter().map(|kind| kind.name.to_owned()).collect();
    assert_eq!(known.len(), FAULT_KINDS.len(), "each is there once");
    assert_eq!(declared, known);
}

#[test]
fn examples_are_faults_of_their_kind_and_are_clear() {
    for kind in FAULT_KINDS {
        let fault: Fault = serde_json::from_str(kind.example).unwrap();
        assert_eq!(fault.kind(), kind.name);
        let clear = match &fault {
            Fault::Network(fault) => fault.check().is_ok(),
            Fault::Host(fault) => fault.check().is_ok(),
            Fault::Gateway(fault) => fault.check().is_ok(),
            Fault::Http(fault) => fault.check().is_ok(),
            Fault::Process(_) => true,
        };
        assert!(clear, "{}", kind.name);
    }
}
