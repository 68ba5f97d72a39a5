//! Growing the trees, rule by rule, and packing them.

use std::collections::HashMap;

use super::{Edge, NO_NODE, NO_RULE, Node, Part, PatternEdges, Trees};
use crate::hashed::{HashedRanges, hash};
use crate::pattern::{KeyedPattern, PatternId, PatternIndex};

/// So many literal children are compared one by one; more are hashed.
const SCAN_MAX: usize = 4;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What follows a node.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Literal(&'a str),
    /// A pattern and the bytes that every match of it begins with.
    Pattern(PatternId, &'a [u8]),
    AnySegment,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// With the path.
    Here,
    /// Here or at any later segment.
    Prefix,
    /// After the next slash, with whatever follows.
    Rest,
}

/// A node while the trees grow.
#[derive(Debug, Default)]
struct Draft {
    best: u32,
    /// In order, and by text.
    literals: Vec<(Box<str>, u32)>,
    literal_children: Map<Box<str>, u32>,
    patterns: Vec<KeyedPattern>,
    pattern_children: Map<PatternId, u32>,
    any_segment: Option<u32>,
    here: Vec<u32>,
    prefix: Vec<u32>,
    rest: Vec<u32>,
}

/// The trees while they grow.
#[derive(Debug, Default)]
pub(crate) struct TreesBuilder {
    drafts: Vec<Draft>,
}

impl TreesBuilder {
    /// A new tree; gives its root.
    pub(crate) fn plant(&mut self) -> u32 {
        self.drafts.push(Draft { best: NO_RULE, ..Draft::default() });
        (self.drafts.len() - 1) as u32
    }

    /// Enters a rule. Rules must be entered in the order of their precedence.
    pub(crate) fn insert(&mut self, root: u32, steps: &[Step<'_>], end: End, rule: u32) {
        let mut at = root;
        self.drafts[at as usize].best = self.drafts[at as usize].best.min(rule);
        for step in steps {
            at = self.child(at, step, rule);
        }
        let draft = &mut self.drafts[at as usize];
        match end {
            End::Here => draft.here.push(rule),
            End::Prefix => draft.prefix.push(rule),
            End::Rest => draft.rest.push(rule),
        }
    }

    fn child(&mut self, parent: u32, step: &Step<'_>, rule: u32) -> u32 {
        let new = self.drafts.len() as u32;
        let draft = &mut self.drafts[parent as usize];
        let known = match step {
            Step::Literal(text) => draft.literal_children.get(*text).copied(),
            Step::Pattern(id, _) => draft.pattern_children.get(id).copied(),
            Step::AnySegment => draft.any_segment,
        };
        if let Some(child) = known {
            return child;
        }
        match step {
            Step::Literal(text) => {
                draft.literals.push(((*text).into(), new));
                draft.literal_children.insert((*text).into(), new);
            }
            Step::Pattern(id, begin) => {
                draft.patterns.push(KeyedPattern { begin: begin.to_vec(), id: *id, value: new });
                draft.pattern_children.insert(*id, new);
            }
            Step::AnySegment => draft.any_segment = Some(new),
        }
        self.drafts.push(Draft { best: rule, ..Draft::default() });
        new
    }

    /// Packs the trees. The numbers of the roots stay.
    pub(crate) fn finish(self) -> Trees {
        let mut trees = Trees::default();
        let mut texts = Map::default();
        for mut draft in self.drafts {
            let literals = add_edges(&mut trees, &mut texts, &mut draft.literals);
            let patterns = match draft.patterns.as_slice() {
                [] => PatternEdges::None,
                [only] => PatternEdges::One(only.id, only.value),
                many => {
                    trees.indexes.push(PatternIndex::build(many));
                    PatternEdges::Many(trees.indexes.len() as u32 - 1)
                }
            };
            let start = trees.rules.len() as u32;
            let mut add = |rules: &[u32]| {
                trees.rules.extend_from_slice(rules);
                trees.rules.len() as u32
            };
            let here = Part { start, end: add(&draft.here) };
            let prefix_end = add(&draft.prefix);
            let rest_end = add(&draft.rest);
            let any_segment = draft.any_segment.unwrap_or(NO_NODE);
            let best = draft.best;
            trees.nodes.push(Node {
                best,
                any_segment,
                literals,
                patterns,
                here,
                prefix_end,
                rest_end,
            });
        }
        trees
    }
}

fn add_edges(
    trees: &mut Trees,
    texts: &mut Map<Box<str>, Part>,
    literals: &mut [(Box<str>, u32)],
) -> Part {
    let mut map = NO_NODE;
    if literals.len() > SCAN_MAX {
        literals.sort_by_key(|(text, _)| hash(text.as_bytes()));
        let hashes = literals.iter().map(|(text, _)| hash(text.as_bytes()));
        trees.maps.push(HashedRanges::build(hashes));
        map = trees.maps.len() as u32 - 1;
    }
    let start = trees.edges.len() as u32;
    for (text, child) in literals {
        let text = *texts.entry(text.clone()).or_insert_with(|| {
            let start = trees.text.len() as u32;
            trees.text.extend_from_slice(text.as_bytes());
            Part { start, end: trees.text.len() as u32 }
        });
        trees.edges.push(Edge { text, child: *child, map });
    }
    Part { start, end: trees.edges.len() as u32 }
}
