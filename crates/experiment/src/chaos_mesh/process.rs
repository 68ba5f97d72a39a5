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
            faults.extend(cpu_stress(&mut cpu, import));
            cpu.finish(import);
        }
        if let Some(mut memory) = stressors.map("memory") {
            faults.extend(memory_stress(&mut memory, import));
            memory.finish(import);
        }
        stressors.finish(import);
    }
    spec.finish(import);
    faults
}

/// `load` is the share of the time that each worker computes.
fn cpu_stress(cpu: &mut Fields<'_>, import: &mut Import) -> Option<Value> {
    let threads = cpu.number("workers").unwrap_or(1).clamp(1, 1_024);
    let line = cpu.line_of("load");
    let percent = match cpu.text("load") {
        Some(_) => cpu.percent("load"),
        None => Some(100.0),
    };
    if percent.is_none() {
        let reason = "it is no load: write percent over 0, at most 100";
        import.leave_out(line, cpu.path_of("load"), reason);
    }
    Some(json!({ "host": { "cpu": { "threads": threads, "percent": percent? } } }))
}

/// `size` is what all workers have together, so that their number makes no difference.
fn memory_stress(memory: &mut Fields<'_>, import: &mut Import) -> Option<Value> {
    memory.skip(&["workers"]);
    let line = memory.line_of("size");
    let size = memory.text("size").unwrap_or_default();
    let amount = if size.ends_with('%') {
        memory.percent("size").map(|percent| json!({ "percent": percent }))
    } else {
        bytes(&size).map(|bytes| json!({ "bytes": bytes }))
    };
    if amount.is_none() {
        let reason = "it is no size: write one such as `256MB`, or a share such as `25%`";
        import.leave_out(line, memory.path_of("size"), reason);
    }
    Some(json!({ "host": { "memory": amount? } }))
}

/// A size of Chaos Mesh: `256MB`, `1GiB`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let unit = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..unit].parse().ok()?;
    let factor = match text[unit..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1_024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = number * factor;
    (1.0..1e15).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_have_units_of_ten_and_of_two() {
        assert_eq!(bytes("256MB"), Some(256_000_000));
        assert_eq!(bytes("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(bytes("4096"), Some(4_096));
        for wrong in ["", "MB", "0", "12 parsecs", "1.2.3MB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
