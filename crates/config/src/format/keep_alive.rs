//! HTTP/2 keep-alive, of either side.

use super::{BOOL, DAY, SECOND, Shape, Table, default, duration};

pub(crate) static KEEP_ALIVE: Table = Table {
    name: "http2_keep_alive",
    about: "Asks the peer of an HTTP/2 connection by PING whether it is there, and closes the \
            connection if it does not answer. Servers may take frequent PINGs for an attack.",
    keys: &[
        default(
            "interval",
            duration(SECOND, DAY),
            "30s",
            "Ask when nothing was heard for so long.",
        ),
        default(
            "timeout",
            duration(100, DAY),
            "10s",
            "Close when nothing is heard for so long after that.",
        ),
        default("while_idle", BOOL, "false", "Also while no stream is open."),
    ],
    rules: &[],
    hints: &[
        ("permit_without_stream", "it is called `while_idle`"),
        ("connection_idle_interval", "it is called `interval`"),
    ],
};

/// How the table stands in others.
pub(crate) const OPTIONAL: Shape = Shape::Table(&KEEP_ALIVE);
