//! What hangs together: union-find over the connections and exchanges of a worker.

use std::collections::HashMap;

use crate::arena::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Connection(Key),
    Exchange(Key),
}

/// Union-find over connections and exchanges.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<Node, Node>);

impl Parts {
    pub(super) fn root(&mut self, node: Node) -> Node {
        let mut root = node;
        while let Some(&parent) = self.0.get(&root) {
            root = parent;
        }
        let mut at = node;
        while at != root {
            let Some(parent) = self.0.insert(at, root) else { break };
            at = parent;
        }
        root
    }

    pub(super) fn join(&mut self, one: Node, other: Node) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            self.0.insert(one, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_together_stays_together() {
        let key = Key::from_tag;
        let mut parts = Parts::default();
        for (exchange, connection) in [(1, 10), (1, 20), (2, 11), (2, 20), (3, 12), (3, 21)] {
            parts.join(Node::Exchange(key(exchange)), Node::Connection(key(connection)));
        }
        let mut root = |connection| parts.root(Node::Connection(key(connection)));
        assert_eq!(root(10), root(11));
        assert_eq!(root(10), root(20));
        assert_eq!(root(12), root(21));
        assert_ne!(root(10), root(12));
        assert_ne!(root(13), root(12));
    }
}
