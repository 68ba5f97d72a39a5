//! Bytes of the other side → messages. Numbers are bounded before anything adds them up, so that no sum
//! can overflow.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::WireError;

/// All numbers of a message together at most, so that the sums over [`super::AGENTS_MAX`] agents and
/// over all classes fit into 64 bits.
const SUM_MAX: u64 = 1 << 56;

/// Reads a message.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let value: Value = serde_json::from_slice(bytes).map_err(WireError::Message)?;
    let mut left = SUM_MAX;
    if !take(&value, &mut left) {
        return Err(WireError::Numbers);
    }
    serde_json::from_value(value).map_err(WireError::Message)
}

/// Takes all numbers in `value` from `left`; whether it was enough. The parser bounds the depth.
fn take(value: &Value, left: &mut u64) -> bool {
    match value {
        Value::Number(number) => {
            let rest = number.as_u64().and_then(|number| left.checked_sub(number));
            rest.map(|rest| *left = rest).is_some()
        }
        Value::Array(values) => values.iter().all(|value| take(value, left)),
        Value::Object(fields) => fields.values().all(|value| take(value, left)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}
