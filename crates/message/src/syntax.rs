//! Byte classes of HTTP (RFC 9110 §5.5, §5.6.2; RFC 3986 §3).

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Whether `text` is a token: not empty, token bytes only.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `value` may be a field value: no control character but tab, no white space around it.
pub fn is_field_value(value: &[u8]) -> bool {
    let padded = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !padded(value.first())
        && !padded(value.last())
        && value.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// Bytes of an authority without user information, as a table: each request is asked for its own.
static IS_HOST_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[byte] = matches!(byte as u8,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'['
                | b']' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
                | b';' | b'=');
        }
        byte += 1;
    }
    table
};

/// Whether `host` may be an authority without user information: no space, control, slash, `@`, `?`, `#`.
pub fn is_host(host: &[u8]) -> bool {
    !host.is_empty() && host.iter().all(|&byte| is_host_byte(byte))
}

/// Whether `byte` may stand in an authority without user information.
#[inline]
pub fn is_host_byte(byte: u8) -> bool {
    IS_HOST_BYTE.get(usize::from(byte)) == Some(&true)
}

/// Whether `target` may be a path with query: starts with `/`, visible ASCII or obs-text without `#`.
pub fn is_path(target: &[u8]) -> bool {
    target.first() == Some(&b'/')
        && target.iter().all(|&byte| byte > 0x20 && byte != 0x7f && byte != b'#')
}

/// `text` without optional white space (space, tab) around it.
pub fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
