//! The results as lines and as docs/differential.md.

use std::collections::BTreeMap;

use super::corpus::Case;
use super::judge::Verdict;
use super::servers::Kind;

/// The results of one chain.
#[derive(Debug)]
pub(super) struct Row {
    front: Kind,
    back: Kind,
    verdicts: Vec<(String, String, Verdict)>,
}

impl Row {
    pub(super) const fn new(front: Kind, back: Kind) -> Self {
        Self { front, back, verdicts: Vec::new() }
    }

    pub(super) fn add(&mut self, case: &Case, verdict: Verdict) {
        self.verdicts.push((case.class.clone(), case.title.clone(), verdict));
    }

    fn count(&self, is: fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|(.., verdict)| is(verdict)).count()
    }

    /// Cases, rejected, agreed, refused, different.
    fn counts(&self) -> [usize; 5] {
        [
            self.verdicts.len(),
            self.count(|verdict| *verdict == Verdict::Rejected),
            self.count(|verdict| *verdict == Verdict::Agreed),
            self.count(|verdict| *verdict == Verdict::Refused),
            self.count(|verdict| matches!(verdict, Verdict::Differs(_))),
        ]
    }

    pub(super) fn line(&self) -> String {
        let [all, rejected, agreed, refused, differs] = self.counts();
        format!(
            "{} in front of {}: {all} payloads, {rejected} rejected by the front, {agreed} seen alike, \
             {refused} refused by the back, {differs} seen differently",
            self.front.name(),
            self.back.name()
        )
    }

    pub(super) fn differences(&self) -> Vec<String> {
        let chain = format!("{} in front of {}", self.front.name(), self.back.name());
        self.verdicts
            .iter()
            .filter_map(|(class, title, verdict)| match verdict {
                Verdict::Differs(what) => Some(format!("{chain}: {class}: {title}: {what}")),
                _ => None,
            })
            .collect()
    }
}

/// The page.
pub(super) fn page(rows: &[Row], http1: &[Case], http2: &[Case]) -> String {
    let mut text = format!(
        "# Differential test against request smuggling\n\n\
         Written by `cargo xtask differential`: {} HTTP/1.1 and {} HTTP/2 payloads that two parsers could \
         read\ndifferently ([`xtask/corpus`](../xtask/corpus/)) go through chains of two servers; each \
         server's own log says\nwhich requests it saw. HTTP/2 payloads are for Bulkhead in front only, \
         whose upstreams speak HTTP/1.1.\n\n\
         *Rejected*: the front passed nothing on. *Alike*: both saw the same requests, the one behind the \
         payload included.\n*Refused*: the front passed something on that the back refused, or ended in the \
         middle; nothing else was seen.\n*Differently*: must be 0.\n\n\
         | front | back | payloads | rejected | alike | refused | differently |\n\
         |---|---|---|---|---|---|---|\n",
        http1.len(),
        http2.len()
    );
    for row in rows {
        let [all, rejected, agreed, refused, differs] = row.counts();
        text.push_str(&format!(
            "| {} | {} | {all} | {rejected} | {agreed} | {refused} | {differs} |\n",
            row.front.name(),
            row.back.name()
        ));
    }
    text.push_str("\nPayloads by class:\n\n| class | HTTP/1.1 | HTTP/2 |\n|---|---|---|\n");
    let mut classes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (index, cases) in [http1, http2].into_iter().enumerate() {
        for case in cases {
            classes.entry(&case.class).or_default()[index] += 1;
        }
    }
    for (class, [http1, http2]) in classes {
        text.push_str(&format!("| {class} | {http1} | {http2} |\n"));
    }
    text
}
