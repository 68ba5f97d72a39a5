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

/// Whether `plain` holds for all bytes, without a branch for each: in blocks that the compiler turns
/// into vector instructions. The last block overlaps the one before, which does no harm.
#[inline]
pub fn all_bytes(text: &[u8], plain: impl Fn(u8) -> bool + Copy) -> bool {
    if let Some(last) = text.last_chunk::<16>() {
        let (blocks, _) = text.as_chunks::<16>();
        return blocks.iter().all(|block| block_is(block, plain)) && block_is(last, plain);
    }
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => block_is(first, plain) & block_is(last, plain),
        _ => text.iter().all(|&byte| plain(byte)),
    }
}

#[inline]
fn block_is<const N: usize>(block: &[u8; N], plain: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(true, |all, &byte| all & plain(byte))
}

/// Whether `value` may be a field value: no control character but tab, no white space around it.
pub fn is_field_value(value: &[u8]) -> bool {
    let padded = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !padded(value.first())
        && !padded(value.last())
        && value.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// Whether `host` may be an authority without user information: no space, control, slash, `@`, `?`, `#`.
pub fn is_host(host: &[u8]) -> bool {
    !host.is_empty() && host.iter().all(|&byte| is_host_byte(byte))
}

/// Whether `byte` may stand in an authority without user information.
pub const fn is_host_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']'
        | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
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
