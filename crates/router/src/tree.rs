//! Templates and prefixes as trees of segments, one tree per hostname.
//!
//! A node stands for the segments on the way to it, so a search visits a node at most once: the work
//! is bounded by the number of nodes, whatever the path. Every node knows the best rule below it, and
//! whole subtrees that cannot beat what was found are left out; so backtracking is exact and short.

use std::collections::HashMap;

use bulkhead_message::RequestHead;

use crate::pattern::{PatternId, PatternIndex, Patterns};
use crate::rule::Rule;

/// No rule: every rule precedes it.
pub(crate) const NO_RULE: u32 = u32::MAX;

/// What follows a node.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Literal(&'a str),
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

#[derive(Debug)]
struct Node {
    /// The best rule at or below this node.
    best: u32,
    literals: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
    patterns: PatternIndex,
    any_segment: Option<u32>,
    /// Rules by precedence.
    here: Vec<u32>,
    prefix: Vec<u32>,
    rest: Vec<u32>,
}

impl Node {
    fn new(best: u32) -> Self {
        Self {
            best,
            literals: HashMap::default(),
            patterns: PatternIndex::default(),
            any_segment: None,
            here: Vec::new(),
            prefix: Vec::new(),
            rest: Vec::new(),
        }
    }
}

/// All trees of a table.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    nodes: Vec<Node>,
}

impl Trees {
    /// A new tree; gives its root.
    pub(crate) fn plant(&mut self) -> u32 {
        self.nodes.push(Node::new(NO_RULE));
        (self.nodes.len() - 1) as u32
    }

    /// Enters a rule. Rules must be entered in the order of their precedence.
    pub(crate) fn insert(&mut self, root: u32, steps: &[Step<'_>], end: End, rule: u32) {
        let mut at = root;
        self.nodes[at as usize].best = self.nodes[at as usize].best.min(rule);
        for step in steps {
            at = self.child(at, step, rule);
        }
        let node = &mut self.nodes[at as usize];
        match end {
            End::Here => node.here.push(rule),
            End::Prefix => node.prefix.push(rule),
            End::Rest => node.rest.push(rule),
        }
    }

    fn child(&mut self, parent: u32, step: &Step<'_>, rule: u32) -> u32 {
        let new = self.nodes.len() as u32;
        let node = &mut self.nodes[parent as usize];
        let child = match step {
            Step::Literal(text) => *node.literals.entry(text.as_bytes().into()).or_insert(new),
            Step::Pattern(id, prefix) => node.patterns.pending(*id).unwrap_or_else(|| {
                node.patterns.push(*id, prefix, new);
                new
            }),
            Step::AnySegment => *node.any_segment.get_or_insert(new),
        };
        if child == new {
            self.nodes.push(Node::new(rule));
        }
        child
    }

    /// To be called when all rules are entered.
    pub(crate) fn finish(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.patterns.finish());
    }
}

/// A search for the best rule of one head.
pub(crate) struct Search<'a> {
    pub(crate) trees: &'a Trees,
    pub(crate) rules: &'a [Rule],
    pub(crate) patterns: &'a Patterns,
    pub(crate) head: &'a RequestHead,
    /// The best so far.
    pub(crate) best: u32,
}

impl<'a> Search<'a> {
    /// Looks at rules in the order of their precedence until one holds or cannot be better.
    #[inline]
    pub(crate) fn consider(&mut self, rules: &[u32]) {
        for &rule in rules {
            if rule >= self.best {
                return;
            }
            if self.holds(rule) {
                self.best = rule;
                return;
            }
        }
    }

    pub(crate) fn holds(&self, rule: u32) -> bool {
        self.rules
            .get(rule as usize)
            .is_some_and(|rule| rule.conditions.hold(self.head, self.patterns))
    }

    /// Searches a whole path.
    pub(crate) fn walk(&mut self, root: u32, path: &[u8]) {
        match path.strip_prefix(b"/") {
            Some(rest) => self.descend(root, Some(rest)),
            None => {
                let trees = self.trees;
                if let Some(node) = trees.nodes.get(root as usize) {
                    self.consider(&node.prefix);
                }
            }
        }
    }

    /// `rest` is what follows the slash after this node; `None`: the path ends here. The depth is
    /// bounded by `SEGMENTS_MAX`.
    fn descend(&mut self, at: u32, rest: Option<&[u8]>) {
        let trees: &'a Trees = self.trees;
        let Some(node) = trees.nodes.get(at as usize) else { return };
        if node.best >= self.best {
            return;
        }
        match rest {
            None => self.consider(&node.here),
            Some(rest) => {
                self.step(node, rest);
                self.consider(&node.rest);
            }
        }
        self.consider(&node.prefix);
    }

    fn step(&mut self, node: &'a Node, rest: &[u8]) {
        let (segment, next) = match memchr::memchr(b'/', rest) {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        if !node.literals.is_empty()
            && let Some(&child) = node.literals.get(segment)
        {
            self.descend(child, next);
        }
        if segment.is_empty() {
            return;
        }
        if !node.patterns.is_empty() {
            let patterns = self.patterns;
            node.patterns.visit(
                patterns,
                segment,
                self,
                |search, child| search.may_improve(child),
                |search, child| search.descend(child, next),
            );
        }
        if let Some(child) = node.any_segment {
            self.descend(child, next);
        }
    }

    fn may_improve(&self, node: u32) -> bool {
        self.trees.nodes.get(node as usize).is_some_and(|node| node.best < self.best)
    }
}
