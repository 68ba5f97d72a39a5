//! Matches that no request ever reaches.
//!
//! The most specific match wins, so only one that says the same as an earlier one is never
//! reached. Matches that say the same in other words are not found.

use std::collections::HashMap;

use crate::diagnostic::{Report, quote_name};
use crate::model::{Route, RouteMatch};
use crate::value::Item;

/// Warns of each match whose every hostname has the same match in an earlier place.
pub(super) fn warn(routes: &[Route], items: &[Item], report: &mut Report<'_>) {
    // A route that is missing in the model was reported; its neighbours' places are then unknown.
    if routes.len() != items.len() {
        return;
    }
    let mut first: HashMap<(String, String), usize> = HashMap::new();
    for (index, (route, item)) in routes.iter().zip(items).enumerate() {
        let spans = item.table().map(|table| table.list("matches")).unwrap_or_default();
        for (position, one) in route.matches.iter().enumerate() {
            let text = canonical(one);
            let mut earlier = None;
            let mut reached = false;
            let any = [String::new()];
            let hostnames = if route.hostnames.is_empty() { &any[..] } else { &route.hostnames };
            for hostname in hostnames {
                match first.get(&(hostname.clone(), text.clone())) {
                    Some(by) => earlier = Some(*by),
                    None => {
                        reached = true;
                        first.insert((hostname.clone(), text.clone()), index);
                    }
                }
            }
            if let (false, Some(by)) = (reached, earlier) {
                let span = spans.get(position).map_or(item.span, |item| item.span);
                let by = routes.get(by).map_or("", |route| &route.name);
                report
                    .warning(
                        span,
                        format!("never reached: route {} has the same match", quote_name(by)),
                    )
                    .remedy("remove one of the two, or add a condition to this one");
            }
        }
    }
}

/// The same text for matches that say the same.
fn canonical(one: &RouteMatch) -> String {
    let mut conditions: Vec<String> = Vec::new();
    conditions.extend(one.headers.iter().map(|header| format!("h{header:?}")));
    conditions.extend(one.query.iter().map(|query| format!("q{query:?}")));
    conditions.sort();
    format!("{:?} {:?} {conditions:?}", one.path, one.method)
}
