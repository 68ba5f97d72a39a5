//! The figures of `bench/README.md`: one row for each scenario, one column for each generator.

use super::super::machine;
use super::measure::Sample;
use super::scenarios::{LONG, MANY_CONNECTIONS};
use super::tools;
use super::{Row, Rows};

/// All between the markers.
pub(crate) fn markdown(date: &str, all: &[Rows]) -> String {
    let machine = machine::describe();
    let names: Vec<&str> = tools::ALL.iter().map(|tool| tool.name).collect();
    let mut text = format!(
        "CPU µs per request of the load generator (user + system), {date}, {} × {}, loopback; medians. \
         In parentheses the requests/s that were reached, where a rate was asked for and missed by \
         more than 1 %.\n\n| | {} |\n|---|{}\n",
        machine["cores"],
        machine["cpu"].as_str().unwrap_or_default(),
        names.join(" | "),
        "---|".repeat(names.len()),
    );
    let cost = |rows: &Rows, row: &Row| {
        let cost = row.median(Sample::cpu_us_per_request)?;
        let reached = row.median(Sample::rate)?;
        let cost = if cost < 10.0 { format!("{cost:.2}") } else { format!("{cost:.1}") };
        let missed = rows.case.scenario.load.rate.is_some_and(|it| reached < f64::from(it) * 0.99);
        Some(if missed { format!("{cost} ({reached:.0}/s)") } else { cost })
    };
    for rows in all.iter().filter(|rows| rows.case.once.is_none()) {
        push_row(&mut text, rows.case.scenario.title, rows, |row| cost(rows, row));
    }
    let memory =
        all.iter().filter(|rows| [MANY_CONNECTIONS, LONG].contains(&rows.case.scenario.name));
    for rows in memory {
        let many = rows.case.scenario.name == MANY_CONNECTIONS;
        let title = if many {
            "RSS MB, 10,000 connections".to_owned()
        } else {
            let seconds = rows.case.once.unwrap_or(0);
            format!("RSS MB, HTTP/2 at 40,000/s, after {} s → {seconds} s", seconds / 12)
        };
        push_row(&mut text, &title, rows, |row| {
            let (early, last) =
                (row.median(|it| it.rss_early_mb)?, row.median(|it| it.rss_last_mb)?);
            let peak = row.median(|it| it.rss_mb)?;
            Some(if many { format!("{peak:.0}") } else { format!("{early:.1} → {last:.1}") })
        });
    }
    text
}

fn push_row(text: &mut String, title: &str, rows: &Rows, cell: impl Fn(&Row) -> Option<String>) {
    text.push_str(&format!("| {title} |"));
    for tool in &tools::ALL {
        let row = rows.rows.iter().find(|row| row.name == tool.name);
        let cell = row.and_then(&cell).unwrap_or_else(|| "–".to_owned());
        text.push_str(&format!(" {cell} |"));
    }
    text.push('\n');
}
