//! HTTP/2 keep-alive.

use crate::model::KeepAlive;
use crate::value::TableValue;

pub(super) fn keep_alive(table: &TableValue) -> KeepAlive {
    KeepAlive {
        interval: table.duration("interval").unwrap_or_default(),
        timeout: table.duration("timeout").unwrap_or_default(),
        while_idle: table.flag("while_idle"),
    }
}
