//! Phases and the closed loop.

use bulkhead_config::document::{Item, TableValue};
use bulkhead_load::{Phase, Process};

use super::Builder;
use crate::settings::{LoadSettings, Pace};

/// Phases at most.
const PHASES_MAX: usize = 1_000;

impl Builder<'_, '_> {
    pub(super) fn load(&mut self, table: &TableValue) -> LoadSettings {
        let phases = self.phases(table.list("phases"));
        let pace = match table.table("closed") {
            Some(closed) => Pace::Closed {
                clients: closed.number("clients").unwrap_or(1),
                think: closed.duration("think").unwrap_or_default(),
                duration: closed.duration("duration").unwrap_or_default(),
            },
            None => Pace::Open {
                phases,
                process: match table.text("arrivals") {
                    Some("constant") => Process::Constant,
                    _ => Process::Poisson,
                },
            },
        };
        LoadSettings {
            pace,
            warmup: table.duration("warmup").unwrap_or_default(),
            cooldown: table.duration("cooldown").unwrap_or_default(),
            timeout: table.duration("timeout").unwrap_or_default(),
            retries: table.number("retries").unwrap_or(0),
            threads: table.number("threads").unwrap_or(1),
            seed: table.number("seed"),
        }
    }

    fn phases(&mut self, items: &[Item]) -> Vec<Phase> {
        if let Some(item) = items.get(PHASES_MAX) {
            self.report.error(item.span, format!("more than {PHASES_MAX} phases"));
        }
        let phases: Vec<Phase> = items.iter().filter_map(|item| self.phase(item)).collect();
        if let (Some(first), true) = (items.first(), phases.len() == items.len())
            && phases.iter().all(|phase| phase.requests() <= 0.0)
        {
            self.report
                .error(first.span, "no phase has any requests")
                .remedy("give one a rate over 0");
        }
        phases
    }

    fn phase(&mut self, item: &Item) -> Option<Phase> {
        let table = item.table()?;
        let duration = table.duration("duration")?;
        if let Some(rate) = table.decimal("rate") {
            if let Some(to) = table.get("to") {
                self.report
                    .error(to.span, "`to` cannot stand beside `rate`")
                    .remedy("write `from` and `to`, or `rate` alone");
            }
            return Some(Phase::constant(rate, duration));
        }
        let from = table.decimal("from")?;
        if table.lacks("to") {
            self.report
                .error(item.span, "a phase with `from` needs `to`")
                .remedy("write `from` and `to`, or `rate` alone");
        }
        Some(Phase { duration, from, to: table.decimal("to")? })
    }
}
