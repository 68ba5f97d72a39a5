//! Fields that are for one connection only and must not be forwarded (RFC 9110 §7.6.1).

use crate::{Fields, Known, trim_ows};

/// Removes `connection`, every field that it names, and the fields that are hop-by-hop by definition.
/// `te: trailers` survives, since gRPC needs it end to end and both HTTP versions allow it.
pub fn strip_hop_by_hop(fields: &mut Fields) {
    const ALWAYS: [Known; 6] = [
        Known::KeepAlive,
        Known::ProxyConnection,
        Known::TransferEncoding,
        Known::Upgrade,
        Known::Http2Settings,
        Known::Trailer,
    ];
    if fields.contains(Known::Connection) {
        strip_nominated(fields);
        fields.remove(Known::Connection);
    }
    if ALWAYS.iter().any(|&known| fields.contains(known)) {
        fields.retain(|field| !ALWAYS.contains(&field.known));
    }
    if fields.contains(Known::Te) && !is_te_trailers(fields) {
        let wants_trailers = fields
            .get_all(Known::Te)
            .flat_map(|value| value.split(|&b| b == b','))
            .any(|coding| trim_ows(coding).eq_ignore_ascii_case(b"trailers"));
        fields.remove(Known::Te);
        if wants_trailers {
            fields.push_known(Known::Te, b"trailers");
        }
    }
}

/// Whether there is one `te`, as every gRPC client sends it.
fn is_te_trailers(fields: &Fields) -> bool {
    let mut values = fields.get_all(Known::Te);
    values.next() == Some(b"trailers") && values.next().is_none()
}

/// Fields that `connection` may not remove: a peer could otherwise strip what the gateway relies on.
const PROTECTED: [Known; 4] = [Known::ContentLength, Known::Te, Known::Authorization, Known::Host];

fn strip_nominated(fields: &mut Fields) {
    let nominated: Vec<Vec<u8>> = fields
        .get_all(Known::Connection)
        .flat_map(|value| value.split(|&b| b == b','))
        .map(|option| trim_ows(option).to_ascii_lowercase())
        .filter(|name| !name.is_empty() && !PROTECTED.contains(&Known::of(name)))
        .collect();
    for name in nominated {
        fields.remove_named(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[(&str, &str)], expect: &[(&str, &str)]) {
        let mut fields: Fields = input.iter().copied().collect();
        strip_hop_by_hop(&mut fields);
        assert_eq!(fields, expect.iter().copied().collect());
    }

    #[test]
    fn named_and_defined_fields_go() {
        check(
            &[("connection", "close, X-Secret"), ("x-secret", "1"), ("x-kept", "2")],
            &[("x-kept", "2")],
        );
        check(
            &[("keep-alive", "timeout=5"), ("transfer-encoding", "chunked"), ("a", "b")],
            &[("a", "b")],
        );
        check(&[("upgrade", "h2c"), ("http2-settings", "AAA")], &[]);
    }

    #[test]
    fn only_te_trailers_survives() {
        check(&[("te", "gzip, Trailers")], &[("te", "trailers")]);
        check(&[("te", "gzip")], &[]);
    }

    #[test]
    fn connection_cannot_remove_what_framing_rests_on() {
        check(
            &[("connection", "content-length, te, authorization"), ("content-length", "3")],
            &[("content-length", "3")],
        );
    }
}
