//! The feed of a user, as JSON and as a gRPC message: a function of the user's id alone.
//!
//! Client and origin both compute it, so a body that is cut, mixed up with another user's, or changed
//! in a single byte is noticed. Never random, never dependent on time.

/// Path of the JSON feed of a user: `/api/v1/{user_id}/feed`.
pub const JSON_PATH_PREFIX: &str = "/api/v1/";
/// Last segment of the JSON feed's path.
pub const JSON_PATH_SUFFIX: &str = "/feed";
/// Path of the unary gRPC method.
pub const GRPC_PATH: &str = "/feed.v1.Feed/Get";

/// Items in a JSON feed. With them a document is close to 1 KB.
const JSON_ITEMS: u64 = 12;
/// Words of 16 hexadecimal digits in a gRPC feed.
const GRPC_WORDS: u64 = 16;

/// Appends `/api/v1/{user_id}/feed`.
pub fn push_json_path(user_id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(JSON_PATH_PREFIX.as_bytes());
    push_decimal(user_id, out);
    out.extend_from_slice(JSON_PATH_SUFFIX.as_bytes());
}

/// The user's id in a path `/api/v1/{user_id}/feed`; `None` for any other path.
pub fn user_of_json_path(path: &[u8]) -> Option<u64> {
    let digits = path
        .strip_prefix(JSON_PATH_PREFIX.as_bytes())?
        .strip_suffix(JSON_PATH_SUFFIX.as_bytes())?;
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Appends the JSON feed of a user, about 1 KB.
pub fn push_json(user_id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"user_id\":");
    push_decimal(user_id, out);
    out.extend_from_slice(b",\"items\":[");
    for item in 0..JSON_ITEMS {
        if item > 0 {
            out.push(b',');
        }
        let word = mix(user_id, item);
        out.extend_from_slice(b"{\"id\":\"");
        push_hex(word, out);
        out.extend_from_slice(b"\",\"author\":\"");
        push_hex(word.rotate_left(29) ^ user_id, out);
        out.extend_from_slice(b"\",\"likes\":");
        push_decimal(word >> 48, out);
        out.extend_from_slice(b",\"seen\":false}");
    }
    out.extend_from_slice(b"],\"next\":\"");
    push_hex(mix(user_id, JSON_ITEMS), out);
    out.extend_from_slice(b"\"}");
}

/// Appends the gRPC request of a user, with its 5-byte length prefix: protobuf field 1, varint.
pub fn push_grpc_request(user_id: u64, out: &mut Vec<u8>) {
    push_grpc_message(out, |out| {
        out.push(0x08);
        push_varint(user_id, out);
    });
}

/// Appends the gRPC feed of a user, with its length prefix: field 1 the id, field 2 the text.
pub fn push_grpc_response(user_id: u64, out: &mut Vec<u8>) {
    push_grpc_message(out, |out| {
        out.push(0x08);
        push_varint(user_id, out);
        out.push(0x12);
        push_varint(GRPC_WORDS * 16, out);
        for word in 0..GRPC_WORDS {
            push_hex(mix(user_id, word), out);
        }
    });
}

/// The user's id in a gRPC request message (without prefix): field 1, varint, 0 if it is left out; other
/// fields are skipped if they are varints. `None` if the message is none of these.
pub fn user_of_grpc_message(mut message: &[u8]) -> Option<u64> {
    let mut user = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        if key & 7 != 0 {
            return None;
        }
        let value = take_varint(&mut message)?;
        if key >> 3 == 1 {
            user = value;
        }
    }
    Some(user)
}

/// SplitMix64's finaliser over both words: neighbouring users have nothing in common.
const fn mix(user_id: u64, item: u64) -> u64 {
    let mut word = user_id.wrapping_add(item.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

pub(crate) fn push_grpc_message(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 5]);
    write(out);
    let length = (out.len() - start - 5) as u32;
    if let Some(prefix) = out.get_mut(start + 1..start + 5) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
}

pub(crate) fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number in decimal.
pub fn push_decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn push_hex(word: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0u8; 16];
    for (place, byte) in word.to_be_bytes().into_iter().enumerate() {
        text[place * 2] = DIGITS[usize::from(byte >> 4)];
        text[place * 2 + 1] = DIGITS[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests;
