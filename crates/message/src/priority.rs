//! What goes first when not everything can be served.

/// How much a request matters when not all can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Given up first: batch work, prefetches.
    Sheddable,
    /// Ordinary requests.
    #[default]
    Default,
    /// Given up last: what users wait for, health of others.
    Critical,
}
