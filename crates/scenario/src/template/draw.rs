//! Values of variables in one request or journey.

use bulkhead_load::Random;

use super::{Draw, Variable};
use crate::pool::Pool;
use crate::workload::Tokens;

/// Values that answers gave, by their place; `None`: none yet.
pub(crate) type Extracted = [Option<Vec<u8>>];

/// All that the values of a request follow from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws<'a> {
    pub(crate) seed: u64,
    /// Of the arrival: the same for all steps of a journey.
    pub(crate) number: u64,
    pub(crate) variables: &'a [Variable],
    pub(crate) pools: &'a [Pool],
    pub(crate) tokens: &'a Tokens,
    pub(crate) extracted: &'a Extracted,
}

impl Draws<'_> {
    /// Appends the value of a variable.
    pub(crate) fn push(&self, variable: usize, out: &mut Vec<u8>) {
        let Some(variable) = self.variables.get(variable) else { return };
        let mut random = self.random(variable.salt);
        match &variable.draw {
            Draw::Uniform { low, count } => push_number(low + random.below(*count), out),
            Draw::Zipf(zipf) => push_number(zipf.draw(&mut random), out),
            Draw::Sequence { start } => push_number(start.wrapping_add(self.number), out),
            Draw::Uuid => push_uuid(&mut random, out),
            Draw::Choice(texts) => {
                let index = random.below(texts.len() as u64) as usize;
                out.extend_from_slice(texts.get(index).map_or(b"", |text| text.as_bytes()));
            }
            Draw::Row { pool, column } => {
                if let Some(pool) = self.pools.get(*pool) {
                    let row = random.below(pool.rows() as u64) as usize;
                    out.extend_from_slice(pool.cell(row, *column).as_bytes());
                }
            }
            Draw::Token { pool } => {
                let index = random.below(self.tokens.len(*pool) as u64) as usize;
                out.extend_from_slice(self.tokens.get(*pool, index).as_bytes());
            }
            Draw::TokenIndex { pool } => {
                push_number(random.below(self.tokens.len(*pool) as u64), out);
            }
            Draw::Extracted(place) => {
                if let Some(Some(value)) = self.extracted.get(*place) {
                    out.extend_from_slice(value);
                }
            }
        }
    }

    /// Depends on the seed, the number and the salt alone, so that a value can be drawn again.
    fn random(&self, salt: u64) -> Random {
        let number = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Random::new(self.seed ^ number ^ salt);
        // Seeds of neighbouring numbers differ in few bits: one step mixes them.
        Random::new(random.next())
    }
}

fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// RFC 9562 §5.4.
fn push_uuid(random: &mut Random, out: &mut Vec<u8>) {
    let mut bits = u128::from(random.next()) << 64 | u128::from(random.next());
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(3 << 62) | 2 << 62;
    let text = format!("{bits:032x}");
    for (range, dash) in
        [(0..8, true), (8..12, true), (12..16, true), (16..20, true), (20..32, false)]
    {
        out.extend_from_slice(text.get(range).unwrap_or("").as_bytes());
        if dash {
            out.push(b'-');
        }
    }
}
