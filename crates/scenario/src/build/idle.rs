//! What is declared and never used: hardly what was meant.

use std::collections::HashSet;

use bulkhead_config::document::{TableValue, quote_name};

use super::Builder;
use crate::plan::Plan;
use crate::template::Draw;

impl Builder<'_, '_> {
    /// Warns of targets without requests, and of data and tokens that nothing is drawn from.
    pub(super) fn idle(&mut self, file: &TableValue, plan: &Plan) {
        let targets: HashSet<usize> = plan.classes().iter().map(|class| class.target).collect();
        let (mut pools, mut tokens) = (HashSet::new(), HashSet::new());
        for variable in plan.journeys.iter().flat_map(|journey| &journey.variables) {
            match variable.draw {
                Draw::Row { pool, .. } => {
                    pools.insert(plan.pools[pool].name.as_str());
                }
                Draw::Token { pool } | Draw::TokenIndex { pool } => {
                    tokens.insert(pool);
                }
                _ => {}
            }
        }
        for (index, (name, _)) in file.map("targets").iter().enumerate() {
            if !targets.contains(&index) {
                let message = format!("no request is for the target {}", quote_name(name.text()));
                self.report
                    .warning(name.span, message)
                    .remedy("its connections are opened for nothing: remove it");
            }
        }
        for (name, _) in file.map("data") {
            if !pools.contains(name.text()) {
                let message = format!("nothing is picked from {}", quote_name(name.text()));
                self.report.warning(name.span, message);
            }
        }
        for (index, (name, _)) in file.map("tokens").iter().enumerate() {
            if !tokens.contains(&index) {
                let message = format!("no request has a token of {}", quote_name(name.text()));
                self.report
                    .warning(name.span, message)
                    .remedy("its tokens are signed for nothing: remove it");
            }
        }
    }
}
