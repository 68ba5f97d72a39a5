//! What befell whom when: a lane for the link, for each further fault, and for each worker, which is a
//! compartment of its own.

use crate::page::lanes::{self, Lane, Stretch, Tone};

use super::super::document::Document;

/// Lanes of workers at most: those of more would be a wall.
const WORKERS_MAX: usize = 32;

/// Title, how to read it, lanes.
pub(super) fn card(page: &mut String, document: &Document) {
    let seconds = document.duration_s;
    let mut all: Vec<Lane> = link(document).into_iter().chain(faults(document)).collect();
    all.extend(
        (0..document.workers.count.min(WORKERS_MAX)).map(|worker| compartment(document, worker)),
    );
    let more = document.workers.count.saturating_sub(WORKERS_MAX);
    let rest =
        if more > 0 { format!(" {more} more workers are not shown.") } else { String::new() };
    *page += &format!(
        "<section class=\"card\"><h2>Faults and compartments</h2><p>Each worker is a compartment: what is in \
         it moves to the others when it is killed (red, until its successor is seen at work). Over the same \
         {seconds:.0} s as above.{rest}</p>\n{}</section>\n",
        lanes::html(&all, seconds)
    );
}

fn link(document: &Document) -> Option<Lane> {
    let link = document.link.as_ref()?;
    let label = format!(
        "{}: {} % lost each way, {} ± {} ms",
        link.place, link.loss_percent, link.delay_ms, link.jitter_ms
    );
    let title = link.declared.clone();
    let stretch = Stretch { from: 0.0, to: document.duration_s, tone: Tone::Fault, label, title };
    Some(Lane { name: "link".to_owned(), stretches: vec![stretch] })
}

fn faults(document: &Document) -> impl Iterator<Item = Lane> {
    let faults = document.faults.iter().enumerate();
    faults.filter(|(_, fault)| fault.took_hold).map(|(place, fault)| Lane {
        name: format!("fault {}", place + 1),
        stretches: vec![Stretch {
            from: fault.at_s,
            to: fault.until_s.unwrap_or(document.duration_s),
            tone: Tone::Fault,
            label: fault.kind.to_owned(),
            title: format!("{} from {:.1} s", fault.kind, fault.at_s),
        }],
    })
}

/// A worker: at work but for the time from each kill to its successor.
fn compartment(document: &Document, worker: usize) -> Lane {
    let kills = document.workers.kills.iter();
    let mut stretches = Vec::new();
    let mut since = 0.0;
    for kill in kills.filter(|kill| kill.worker == worker && kill.error.is_none()) {
        let back = kill.back_s.unwrap_or(document.duration_s);
        stretches.push(work(since, kill.at_s, worker));
        stretches.push(Stretch {
            from: kill.at_s,
            to: back,
            tone: Tone::Gone,
            label: String::new(),
            title: format!(
                "worker {worker} killed at {:.1} s: {} connections and {} requests moved",
                kill.at_s, kill.connections_moved, kill.exchanges_moved
            ),
        });
        since = back;
    }
    stretches.push(work(since, document.duration_s, worker));
    Lane { name: format!("worker {worker}"), stretches }
}

fn work(from: f64, to: f64, worker: usize) -> Stretch {
    let title = format!("worker {worker} at work");
    Stretch { from, to, tone: Tone::Work, label: String::new(), title }
}
