//! NetworkChaos: faults of a link.

use serde_json::{Value, json};

use super::Import;
use super::field::Fields;

pub(super) fn faults(mut spec: Fields<'_>, import: &mut Import) -> Vec<Value> {
    let action = spec.text("action").unwrap_or_default();
    let direction = match spec.text("direction").as_deref() {
        None | Some("to") => "upstream",
        Some("from") => "downstream",
        Some(_) => "both",
    };
    let parts: &[&str] = match action.as_str() {
        "netem" => &["delay", "loss", "duplicate", "corrupt", "rate"],
        "partition" => &["partition"],
        other => &[match other {
            "delay" => "delay",
            "loss" => "loss",
            "duplicate" => "duplicate",
            "corrupt" => "corrupt",
            "bandwidth" => "bandwidth",
            _ => {
                let line = spec.line_of("action");
                import.leave_out(line, spec.path_of("action"), "there is no such action here");
                return Vec::new();
            }
        }],
    };
    let mut faults = Vec::new();
    for part in parts {
        if *part == "partition" {
            faults.push(json!({ "network": { "partition": { "direction": direction } } }));
            continue;
        }
        let line = spec.line_of(part);
        let Some(mut fields) = spec.map(part) else {
            if action != "netem" {
                let path = spec.path_of(part);
                import.leave_out(line, path, "the action has no settings");
            }
            continue;
        };
        match fault(part, &mut fields, direction, import) {
            Some(fault) => faults.push(json!({ "network": fault })),
            None => import.leave_out(line, spec.path_of(part), "its settings cannot be read"),
        }
        fields.finish(import);
    }
    spec.finish(import);
    faults
}

fn fault(
    part: &str,
    fields: &mut Fields<'_>,
    direction: &str,
    import: &mut Import,
) -> Option<Value> {
    match part {
        "loss" => {
            let percent = fields.percent("loss")?;
            let mut loss =
                json!({ "direction": direction, "model": { "bernoulli": { "percent": percent } } });
            per_direction(&mut loss, direction);
            Some(json!({ "loss": loss }))
        }
        "delay" => delay(fields, direction, import),
        "duplicate" | "corrupt" => {
            let percent = fields.percent(part)?;
            Some(json!({ part: { "direction": direction, "percent": percent } }))
        }
        "bandwidth" | "rate" => bandwidth(fields, direction),
        _ => None,
    }
}

/// A share or delay in both directions is that of each of them.
fn per_direction(fault: &mut Value, direction: &str) {
    if direction == "both" {
        fault["per"] = json!("direction");
    }
}

/// netem draws jitter evenly and lets packets overtake each other.
fn delay(fields: &mut Fields<'_>, direction: &str, import: &mut Import) -> Option<Value> {
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let base = milliseconds(fields.duration("latency")?);
    let jitter = fields.duration("jitter").map_or(0.0, milliseconds);
    if jitter > base {
        let reason =
            "jitter over the latency would be cut at 0: raise `base_ms` to it, or lower it";
        import.leave_out(fields.line_of("jitter"), fields.path_of("jitter"), reason);
    }
    let mut delay =
        json!({ "direction": direction, "base_ms": base, "jitter_ms": jitter.min(base) });
    if jitter > 0.0 {
        delay["distribution"] = json!("uniform");
        delay["reorder"] = json!("allow");
    }
    per_direction(&mut delay, direction);
    Some(json!({ "delay": delay }))
}

fn bandwidth(fields: &mut Fields<'_>, direction: &str) -> Option<Value> {
    let bits = rate(&fields.text("rate")?)?;
    let mut bandwidth = json!({
        "direction": direction,
        "bits_per_second": bits,
        "queue_bytes": fields.number("limit").unwrap_or(20_971_520),
    });
    if let Some(burst) = fields.number("buffer") {
        bandwidth["burst_bytes"] = json!(burst);
    }
    Some(json!({ "bandwidth": bandwidth }))
}

/// As `tc` writes rates: `mbit` are bits, `mbps` bytes per second.
fn rate(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = lower.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let number: f64 = lower[..unit].parse().ok()?;
    let bits = match lower[unit..].trim() {
        "bit" => 1.0,
        "kbit" => 1e3,
        "mbit" => 1e6,
        "gbit" => 1e9,
        "bps" => 8.0,
        "kbps" => 8e3,
        "mbps" => 8e6,
        "gbps" => 8e9,
        _ => return None,
    };
    let bits = number * bits;
    (1.0..1e12).contains(&bits).then_some(bits as u64)
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_those_of_tc() {
        assert_eq!(rate("1mbps"), Some(8_000_000));
        assert_eq!(rate("1.5mbit"), Some(1_500_000));
        assert_eq!(rate("10 kbps"), Some(80_000));
        assert_eq!(rate("10"), None);
        assert_eq!(rate("10 parsecs"), None);
    }
}
