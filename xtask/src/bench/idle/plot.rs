//! Memory of an idle connection as bars on a logarithmic scale: from a tenth of a KiB to some tens is
//! what gateways differ by.

use super::{KINDS, Row};
use crate::bench::svg::{self, Style};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 770.0;
const TOP: f64 = 62.0;
const BAR: f64 = 16.0;
const GAP: f64 = 14.0;
/// Left and right end of the scale, KiB.
const LEAST_KIB: f64 = 0.1;
const MOST_KIB: f64 = 100.0;

const STYLE: Style = Style {
    light: "    .ours { fill: #0969da; }\n    .theirs { fill: #8c959f; }\n",
    dark: "      .ours { fill: #58a6ff; }\n      .theirs { fill: #6e7681; }\n",
};

/// The whole file.
pub(super) fn svg(rows: &[Row]) -> String {
    let groups = KINDS.iter().map(|kind| {
        let of_kind = rows.iter().filter(move |row| row.kind == kind && !row.samples.is_empty());
        let bars = of_kind.map(|row| (row.peer.name, row.median(|it| it.resident_kib)));
        (kind.title, bars.collect())
    });
    draw(&groups.collect::<Vec<_>>())
}

fn draw(groups: &[(&str, Vec<(&str, f64)>)]) -> String {
    let mut bars = String::new();
    let mut y = TOP;
    for (title, group) in groups.iter().filter(|(_, group)| !group.is_empty()) {
        bars.push_str(&format!("  <text x=\"24\" y=\"{:.1}\">{title}</text>\n", y + 13.0));
        for (name, kib) in group {
            bars.push_str(&bar(name, *kib, y));
            y += BAR + 4.0;
        }
        y += GAP;
    }
    let mut text = String::new();
    for kib in [0.1, 1.0, 10.0, 100.0] {
        let x = x_of(kib);
        text.push_str(&format!(
            "  <path class=\"grid\" d=\"M{x:.1} {:.1}V{y:.1}\"/>\n  <text class=\"axis\" x=\"{x:.1}\" \
             y=\"{:.1}\" text-anchor=\"middle\">{kib}</text>\n",
            TOP - 6.0,
            y + 14.0
        ));
    }
    let title = "Memory of an idle connection, KiB";
    svg::page(WIDTH, y + 30.0, title, &STYLE, &(text + &bars))
}

fn bar(name: &str, kib: f64, y: f64) -> String {
    let class = if name == "bulkhead" { "ours" } else { "theirs" };
    let (end, baseline) = (x_of(kib), y + 13.0);
    format!(
        "  <text class=\"axis\" x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\">{name}</text>\n  \
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>\n  \
         <text x=\"{:.1}\" y=\"{baseline:.1}\">{kib:.2}</text>\n",
        LEFT - 10.0,
        end - LEFT,
        end + 8.0,
    )
}

fn x_of(kib: f64) -> f64 {
    let share = (kib / LEAST_KIB).log10() / (MOST_KIB / LEAST_KIB).log10();
    // Nothing measured is drawn as nothing.
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    LEFT + (RIGHT - LEFT) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decade_is_a_third_of_the_width() {
        let third = (RIGHT - LEFT) / 3.0;
        assert!((x_of(1.0) - x_of(0.1) - third).abs() < 1e-9);
        assert!((x_of(100.0) - RIGHT).abs() < 1e-9);
        assert_eq!((x_of(0.0), x_of(-1.0), x_of(f64::NAN)), (LEFT, LEFT, LEFT));
    }

    #[test]
    fn each_gateway_has_a_bar() {
        let text = draw(&[
            ("HTTP/1.1", vec![("bulkhead", 0.57), ("envoy", 15.9)]),
            ("HTTP/2", Vec::new()),
        ]);
        assert_eq!(text.matches("<rect class=\"ours\"").count(), 1);
        assert_eq!(text.matches("<rect class=\"theirs\"").count(), 1);
        assert!(text.contains(">15.90<") && !text.contains("HTTP/2"));
    }
}
