//! What a connection counts for its owner.

/// What the peer did that cost us, since it was last asked for. Which flood ended a connection stands in
/// [`crate::ConnectionError::reason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Streams that the peer gave up.
    pub resets_received: u64,
    /// Streams that were reset because of what the peer did on them.
    pub resets_forced: u64,
    /// Requests refused because too many streams were open, or the connection was closing.
    pub streams_refused: u64,
    /// Heads and trailer sections above `head_bytes_max` or `fields_max`.
    pub heads_oversized: u64,
}
