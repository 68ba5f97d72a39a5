//! Claims → request headers that the upstream may believe, because no client can send them.

use std::collections::BTreeMap;

use bulkhead_message::{Fields, Known, is_field_value};
use serde_json::{Map, Value};

use crate::FilterError;
use crate::error::header_name;

/// The largest whole number that a JSON number keeps exactly (RFC 8259 §6).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Debug, PartialEq, Eq)]
struct Target {
    claim: String,
    known: Known,
    name: Box<[u8]>,
}

/// Which claim goes to which header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClaimHeaders {
    targets: Box<[Target]>,
}

/// Values for some of the targets, by index.
pub(super) type Rendered = Box<[(usize, Box<[u8]>)]>;

impl ClaimHeaders {
    pub(super) fn new(map: &BTreeMap<String, String>) -> Result<Self, FilterError> {
        let mut targets: Vec<Target> = Vec::with_capacity(map.len());
        for (claim, header) in map {
            let name = header_name(header)?;
            let known = Known::of(name.as_bytes());
            if known == Known::Authorization {
                let reason = "it carries the token itself";
                return Err(FilterError::HeaderReserved { name, reason });
            }
            if targets.iter().any(|target| is_same_name(&target.name, name.as_bytes())) {
                return Err(FilterError::HeaderTwice(name));
            }
            targets.push(Target { claim: claim.clone(), known, name: name.into_bytes().into() });
        }
        Ok(Self { targets: targets.into() })
    }

    /// Removes what the client sent under the names of claims. `_` counts as `-`: some upstreams make
    /// both the same variable.
    pub(super) fn strip(&self, fields: &mut Fields) {
        let forged = |name: &[u8]| self.targets.iter().any(|t| is_same_name(&t.name, name));
        if !self.targets.is_empty() && fields.iter().any(|field| forged(field.name)) {
            fields.retain(|field| !forged(field.name));
        }
    }

    /// The values of the claims that are text, a number or a truth value and can stand in a header.
    /// Others are left out rather than changed: a changed name may be somebody else's.
    pub(super) fn render(&self, claims: &Map<String, Value>) -> Rendered {
        let value = |claim: &str| {
            let text = match claims.get(claim)? {
                Value::String(text) => text.clone(),
                Value::Bool(truth) => truth.to_string(),
                Value::Number(number)
                    if number.is_u64()
                        || number.is_i64()
                        || number.as_f64().is_some_and(|value| value.abs() < EXACT_MAX) =>
                {
                    number.to_string()
                }
                _ => return None,
            };
            is_field_value(text.as_bytes()).then(|| text.into_bytes().into())
        };
        let targets = self.targets.iter().enumerate();
        targets.filter_map(|(index, target)| Some((index, value(&target.claim)?))).collect()
    }

    /// Adds the headers, to fields that went through [`ClaimHeaders::strip`].
    pub(super) fn apply(&self, values: &Rendered, fields: &mut Fields) {
        for (index, value) in values {
            if let Some(target) = self.targets.get(*index) {
                fields.push_classified(target.known, &target.name, value, false);
            }
        }
    }

    /// Claims and headers as hashable text.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.targets.iter().map(|target| (target.claim.as_str(), &*target.name))
    }
}

fn is_same_name(ours: &[u8], theirs: &[u8]) -> bool {
    let dash = |byte: u8| if byte == b'_' { b'-' } else { byte };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(&a, &b)| dash(a) == dash(b))
}
