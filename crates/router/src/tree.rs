//! Templates and prefixes as trees of segments, one tree per hostname.
//!
//! A node stands for the segments on the way to it, so a search visits a node at most once: the work
//! is bounded by the number of nodes, whatever the path. Every node knows the best rule below it, and
//! whole subtrees that cannot beat what was found are left out; so backtracking is exact and short.
//!
//! Finding is bound by memory, not by arithmetic: nodes are small and lie in the order in which
//! routes brought them, and their lists lie together in shared arrays.

mod builder;

use std::ops::Range;

use bulkhead_message::RequestHead;

use crate::hashed::{HashedRanges, hash};
use crate::pattern::{PatternId, PatternIndex, Patterns};
use crate::rule::Rule;
pub(crate) use builder::{End, Step, TreesBuilder};

/// No rule: every rule precedes it.
pub(crate) const NO_RULE: u32 = u32::MAX;

/// No child.
const NO_NODE: u32 = u32::MAX;

/// A part of one of the shared arrays.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u32,
    end: u32,
}

impl Part {
    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

#[derive(Debug)]
struct Node {
    /// The best rule at or below this node.
    best: u32,
    /// Child for any segment.
    any_segment: u32,
    /// In [`Trees::edges`].
    literals: Part,
    patterns: PatternEdges,
    /// In [`Trees::rules`]: those that end here, then the prefixes, then those with a rest, each list
    /// by precedence.
    here: Part,
    prefix_end: u32,
    rest_end: u32,
}

/// Children by pattern.
#[derive(Clone, Copy, Debug)]
enum PatternEdges {
    None,
    One(PatternId, u32),
    /// In [`Trees::indexes`].
    Many(u32),
}

impl Node {
    /// Whether no path goes on from here.
    const fn is_leaf(&self) -> bool {
        self.literals.is_empty()
            && matches!(self.patterns, PatternEdges::None)
            && self.any_segment == NO_NODE
    }
}

/// A child by literal segment.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// In [`Trees::text`].
    text: Part,
    child: u32,
    /// Place of the map that finds a segment among these edges, if there are many; else [`NO_NODE`].
    /// Stands at the first edge of a node.
    map: u32,
}

/// All trees of a table.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    maps: Vec<HashedRanges>,
    /// Literal segments, each text once.
    text: Vec<u8>,
    indexes: Vec<PatternIndex>,
    rules: Vec<u32>,
}

impl Trees {
    #[inline]
    fn literal_child(&self, literals: Part, segment: &[u8]) -> Option<u32> {
        let edges = self.edges.get(literals.range())?;
        let first = edges.first()?;
        let candidates = match self.maps.get(first.map as usize) {
            Some(map) => edges.get(map.get(hash(segment)))?,
            None => edges,
        };
        let text = |edge: &Edge| self.text.get(edge.text.range()).unwrap_or(&[]);
        candidates.iter().find(|edge| text(edge) == segment).map(|edge| edge.child)
    }

    fn rules(&self, start: u32, end: u32) -> &[u32] {
        self.rules.get(start as usize..end as usize).unwrap_or(&[])
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

    #[inline]
    pub(crate) fn holds(&self, rule: u32) -> bool {
        let Some(rule) = self.rules.get(rule as usize) else { return false };
        match &rule.conditions {
            None => true,
            Some(conditions) => conditions.hold(self.head, self.patterns),
        }
    }

    /// Searches a whole path.
    pub(crate) fn walk(&mut self, root: u32, path: &[u8]) {
        match path.strip_prefix(b"/") {
            Some(rest) => self.descend(root, Some(rest)),
            None => {
                let trees = self.trees;
                if let Some(node) = trees.nodes.get(root as usize) {
                    self.consider(trees.rules(node.here.end, node.prefix_end));
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
            None => self.consider(trees.rules(node.here.start, node.here.end)),
            Some(rest) => {
                self.step(node, rest);
                self.consider(trees.rules(node.prefix_end, node.rest_end));
            }
        }
        self.consider(trees.rules(node.here.end, node.prefix_end));
    }

    fn step(&mut self, node: &Node, rest: &[u8]) {
        if node.is_leaf() {
            return;
        }
        let (segment, next) = match memchr::memchr(b'/', rest) {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        if !node.literals.is_empty()
            && let Some(child) = self.trees.literal_child(node.literals, segment)
        {
            self.descend(child, next);
        }
        if segment.is_empty() {
            return;
        }
        let patterns = self.patterns;
        match node.patterns {
            PatternEdges::None => {}
            PatternEdges::One(id, child) => {
                if self.may_improve(child) && patterns.is_match(id, segment) {
                    self.descend(child, next);
                }
            }
            PatternEdges::Many(index) => {
                let trees = self.trees;
                let Some(index) = trees.indexes.get(index as usize) else { return };
                let wanted = |search: &Self, child| search.may_improve(child);
                index.visit(patterns, segment, self, wanted, |search, child| {
                    search.descend(child, next);
                });
            }
        }
        if node.any_segment != NO_NODE {
            self.descend(node.any_segment, next);
        }
    }

    fn may_improve(&self, node: u32) -> bool {
        self.trees.nodes.get(node as usize).is_some_and(|node| node.best < self.best)
    }
}
