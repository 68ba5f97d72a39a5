//! What a path leads to: one match of one route, and the parameters that it takes from the path. They
//! are located when they are asked for: most matches have none, and most that do are not asked.

use std::ops::Range;

use crate::condition::Conditions;
use crate::template::{Segment, Template};

/// Parameters of a template at most.
pub const PARAMETERS_MAX: usize = 16;

/// One match of one route. Its number in the table is its precedence.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) route: u32,
    pub(crate) matched: u32,
    pub(crate) conditions: Option<Box<Conditions>>,
    pub(crate) parameters: Parameters,
}

/// Where the parameters stand in the path.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Number of each parameter's segment; below [`crate::SEGMENTS_MAX`].
    segments: [u8; PARAMETERS_MAX],
    /// The last one takes the rest.
    rest: bool,
    names: Box<[Box<str>]>,
}

impl Parameters {
    pub(crate) fn of(template: &Template) -> Self {
        let mut segments = [0; PARAMETERS_MAX];
        let parameters = (0u8..)
            .zip(&template.segments)
            .filter(|(_, segment)| !matches!(segment, Segment::Literal(_)));
        for (place, (number, _)) in segments.iter_mut().zip(parameters) {
            *place = number;
        }
        Self {
            segments,
            rest: template.has_rest(),
            names: template.names().map(Into::into).collect(),
        }
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Finds the parameters in a path that is known to match, in the order of their names.
    pub(crate) fn locate<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        let count = self.names.len();
        let mut start = 1;
        let mut number = 0;
        self.segments.iter().take(count).enumerate().map(move |(at, &wanted)| {
            let mut end = segment_end(path, start);
            while number < wanted {
                start = end + 1;
                end = segment_end(path, start);
                number += 1;
            }
            let takes_rest = self.rest && at + 1 == count;
            start..if takes_rest { path.len() } else { end }
        })
    }
}

fn segment_end(path: &[u8], start: usize) -> usize {
    let rest = path.get(start..).unwrap_or(&[]);
    memchr::memchr(b'/', rest).map_or(path.len(), |at| start + at)
}

/// What was found for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Number of the route.
    pub route: u32,
    /// Number of the match in the route.
    pub matched: u32,
    pub(crate) rule: u32,
}
