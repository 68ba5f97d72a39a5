//! PodChaos and StressChaos: faults of processes and of the host.

use serde_json::{Value, json};

use super::Import;
use super::field::Fields;

pub(super) fn pod(mut spec: Fields<'_>, import: &mut Import) -> Vec<Value> {
    let line = spec.line_of("action");
    let faults = match spec.text("action").as_deref() {
        Some("pod-kill" | "container-kill") => vec![json!({ "process": "kill" })],
        // A pod that fails does not answer, and is the same when it is back.
        Some("pod-failure") => vec![json!({ "process": "stop" })],
        _ => {
            import.leave_out(line, spec.path_of("action"), "there is no such action here");
            Vec::new()
        }
    };
    spec.finish(import);
    faults
}

pub(super) fn stress(mut spec: Fields<'_>, import: &mut Import) -> Vec<Value> {
    let mut faults = Vec::new();
    if let Some(mut stressors) = spec.map("stressors") {
        if let Some(mut cpu) = stressors.map("cpu") {
            let threads = cpu.number("workers").unwrap_or(1).clamp(1, 1_024);
            if cpu.number("load").is_some_and(|load| load != 100) {
                let reason = "threads compute without rest: a part of the load is not kept up";
                import.leave_out(cpu.line_of("load"), cpu.path_of("load"), reason);
            }
            faults.push(json!({ "host": { "cpu": { "threads": threads } } }));
            cpu.finish(import);
        }
        stressors.finish(import);
    }
    spec.finish(import);
    faults
}
