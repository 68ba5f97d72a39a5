//! What a request asks to switch to (RFC 9110 §7.8).

use crate::{Fields, Known, trim_ows};

/// The protocols that an HTTP/1.1 request asks to switch to, the one it likes best first. None if
/// `connection` does not name `upgrade`: such a field was not meant for this hop.
pub fn upgrade_protocols(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    let named = fields.contains(Known::Upgrade)
        && items(fields, Known::Connection).any(|item| item.eq_ignore_ascii_case(b"upgrade"));
    items(fields, Known::Upgrade).filter(move |item| named && !item.is_empty())
}

fn items(fields: &Fields, known: Known) -> impl Iterator<Item = &[u8]> {
    fields.get_all(known).flat_map(|value| value.split(|&byte| byte == b',')).map(trim_ows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[(&str, &str)], expect: &[&str]) {
        let fields: Fields = fields.iter().copied().collect();
        let found: Vec<&[u8]> = upgrade_protocols(&fields).collect();
        assert_eq!(found, expect.iter().map(|item| item.as_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn lists_in_one_field_or_several() {
        let connection = ("connection", "keep-alive, Upgrade");
        check(&[connection, ("upgrade", "websocket")], &["websocket"]);
        check(&[connection, ("upgrade", "foo/1 ,, WebSocket")], &["foo/1", "WebSocket"]);
        check(&[("upgrade", "a"), connection, ("upgrade", "b")], &["a", "b"]);
    }

    #[test]
    fn only_where_the_connection_names_it() {
        check(&[("upgrade", "websocket")], &[]);
        check(&[("connection", "close, x-upgrade"), ("upgrade", "websocket")], &[]);
        check(&[("connection", "upgrade")], &[]);
    }
}
