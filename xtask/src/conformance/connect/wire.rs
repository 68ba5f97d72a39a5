//! As much of Protocol Buffers as it takes to change fields of a message whose rest stays what it is;
//! and messages one after the other, each behind its length, as `connectconformance` exchanges them.

use std::io::{self, Read, Write};

use anyhow::{Context as _, Result, ensure};

/// What no message of the suite comes near, in bytes: more is no message at all.
const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// A message, its fields in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message(Vec<(u64, Value)>);

/// Value of a field, by its wire type.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
}

impl Message {
    /// Reads the fields, but not what is in them.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut bytes)?),
                1 => Value::Fixed64(take(&mut bytes, 8)?.try_into()?),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?)?;
                    Value::Bytes(take(&mut bytes, length)?.to_vec())
                }
                kind => {
                    ensure!(kind == 5, "wire type {kind} is none of proto3");
                    Value::Fixed32(take(&mut bytes, 4)?.try_into()?)
                }
            };
            fields.push((tag >> 3, value));
        }
        Ok(Self(fields))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in &self.0 {
            let tag = |kind: u64| number << 3 | kind;
            match value {
                Value::Number(value) => {
                    push_varint(&mut out, tag(0));
                    push_varint(&mut out, *value);
                }
                Value::Fixed64(bytes) => {
                    push_varint(&mut out, tag(1));
                    out.extend_from_slice(bytes);
                }
                Value::Bytes(bytes) => {
                    push_varint(&mut out, tag(2));
                    push_varint(&mut out, bytes.len() as u64);
                    out.extend_from_slice(bytes);
                }
                Value::Fixed32(bytes) => {
                    push_varint(&mut out, tag(5));
                    out.extend_from_slice(bytes);
                }
            }
        }
        out
    }

    /// The number in a field; 0 if it is not there, as in proto3.
    pub(super) fn number(&self, field: u64) -> u64 {
        match self.get(field) {
            Some(Value::Number(value)) => *value,
            _ => 0,
        }
    }

    /// The text, bytes or message in a field; empty if it is not there.
    pub(super) fn bytes(&self, field: u64) -> &[u8] {
        match self.get(field) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// The last one counts.
    fn get(&self, field: u64) -> Option<&Value> {
        self.0.iter().rev().find(|(number, _)| *number == field).map(|(_, value)| value)
    }

    pub(super) fn set_number(&mut self, field: u64, value: u64) {
        self.remove(field);
        self.0.push((field, Value::Number(value)));
    }

    pub(super) fn set_bytes(&mut self, field: u64, bytes: &[u8]) {
        self.remove(field);
        self.0.push((field, Value::Bytes(bytes.to_vec())));
    }

    pub(super) fn remove(&mut self, field: u64) {
        self.0.retain(|(number, _)| *number != field);
    }
}

/// The next message. `None`: there is none.
pub(super) fn read(from: &mut impl Read) -> Result<Option<Message>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error).context("read a message's length"),
    }
    let length = u32::from_be_bytes(length);
    ensure!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes");
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes).context("read a message")?;
    Message::decode(&bytes).map(Some)
}

pub(super) fn write(to: &mut impl Write, message: &Message) -> Result<()> {
    let bytes = message.encode();
    to.write_all(&u32::try_from(bytes.len())?.to_be_bytes()).context("write a message's length")?;
    to.write_all(&bytes).context("write a message")?;
    to.flush().context("write a message")
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    anyhow::bail!("a number of more than 64 bits")
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).context("a message is cut short")?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests;
