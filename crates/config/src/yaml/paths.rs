//! Which path of the tree stands at a place.

use std::collections::{HashMap, HashSet};

use super::{Kind, Node};

/// A line and a column.
type Place = (usize, usize);

/// The path of the innermost node at each of `places`, as far as one begins there. The name of a
/// key has the path of its value.
pub(crate) fn paths(root: &Node, places: HashSet<Place>) -> HashMap<Place, String> {
    let mut walk = Walk { places, found: HashMap::new(), steps: Vec::new() };
    walk.node(root);
    walk.found
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

struct Walk<'a> {
    places: HashSet<Place>,
    found: HashMap<Place, String>,
    steps: Vec<Step<'a>>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a Node) {
        self.here(node);
        match node.kind() {
            Kind::Scalar { .. } => {}
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.steps.push(Step::Index(index));
                    self.node(item);
                    self.steps.pop();
                }
            }
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    let Kind::Scalar { text, .. } = key.kind() else { continue };
                    self.steps.push(Step::Key(text));
                    self.here(key);
                    self.node(value);
                    self.steps.pop();
                }
            }
        }
    }

    fn here(&mut self, node: &Node) {
        let place = (node.span().line, node.span().column);
        if !self.places.contains(&place) {
            return;
        }
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
            }
        }
        self.found.insert(place, path);
    }
}
