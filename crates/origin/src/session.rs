//! Numbers of sessions, so that a journey of several requests can be tested: an id holds its number and
//! a check of it, so that only an id that was issued is known, and nothing has to be remembered.

/// Appends the id of a session.
pub(crate) fn push_id(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{number:x}-{:08x}", check(number)).as_bytes());
}

/// Appends `{"session":"…"}`.
pub(crate) fn push_json(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"session\":\"");
    push_id(number, out);
    out.extend_from_slice(b"\"}");
}

/// The number of a session; `None`: no such id was issued.
pub(crate) fn number_of(id: &[u8]) -> Option<u64> {
    let (number, _) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let number = u64::from_str_radix(number, 16).ok()?;
    let mut issued = Vec::with_capacity(id.len());
    push_id(number, &mut issued);
    (issued == id).then_some(number)
}

/// A check that a made-up id hardly has. Guards against mix-ups, not against attacks.
const fn check(number: u64) -> u32 {
    let mixed = (number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_issued_is_known() {
        for number in [0, 1, 77, u64::MAX] {
            let mut id = Vec::new();
            push_id(number, &mut id);
            assert_eq!(number_of(&id), Some(number));
            for wrong in [&id[1..], &id[..id.len() - 1], &[b"0", &id[..]].concat(), b"", b"-", b"1"]
            {
                assert_eq!(number_of(wrong), None);
            }
        }
    }
}
