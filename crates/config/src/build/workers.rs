//! Where the workers run.

use crate::diagnostic::Report;
use crate::model::WorkerAffinity;
use crate::value::{TableValue, Value};

pub(super) fn affinity(file: &TableValue, report: &mut Report<'_>) -> WorkerAffinity {
    let Some(item) = file.get("worker_affinity") else { return WorkerAffinity::Off };
    let Value::List(items) = &item.value else {
        return if item.text() == "auto" { WorkerAffinity::Auto } else { WorkerAffinity::Off };
    };
    let mut cpus: Vec<usize> = Vec::with_capacity(items.len());
    for item in items {
        let cpu = item.number();
        if cpus.contains(&cpu) {
            report.error(item.span, format!("CPU {cpu} stands twice"));
        }
        cpus.push(cpu);
    }
    WorkerAffinity::Cpus(cpus)
}
