//! The variables of a request or journey, and where their values come from.

use super::zipf::Zipf;
use crate::pool::Pool;

/// Variables of a request or journey at most.
pub(crate) const VARIABLES_MAX: usize = 256;

/// A variable: has one value in each request or journey.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    /// As written; for placeholders without a name, the text of the placeholder.
    pub(crate) name: String,
    /// Keeps the values of variables apart that are drawn in the same way. Those of the same salt are
    /// drawn alike, such as the columns of one row.
    pub(crate) salt: u64,
    pub(crate) draw: Draw,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draw {
    /// A whole number from `low` on, each of `count` as likely.
    Uniform { low: u64, count: u64 },
    /// A whole number, small ones more often.
    Zipf(Zipf),
    /// The number of the request, counted from `start`.
    Sequence { start: u64 },
    /// A cell of a random row of a pool.
    Row { pool: usize, column: usize },
    /// A random token of a pool.
    Token { pool: usize },
    /// The index of that token.
    TokenIndex { pool: usize },
    /// A random UUID (version 4).
    Uuid,
    /// One of these texts.
    Choice(Vec<String>),
    /// Taken from an earlier answer.
    Extracted(usize),
}

/// What placeholders may refer to at a place, while a request or journey is compiled.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) pools: &'a [Pool],
    /// Pools that could not be read, which was reported: what is picked from them is not.
    pub(crate) broken: &'a [String],
    /// Names of the token pools.
    pub(crate) tokens: &'a [String],
    pub(crate) variables: Vec<Variable>,
    /// Values that answers give.
    pub(crate) extracted: usize,
    /// Names that later steps extract: to tell `too early` from `unknown`.
    pub(crate) later: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(crate) const fn new(pools: &'a [Pool], tokens: &'a [String]) -> Self {
        Self { pools, broken: &[], tokens, variables: Vec::new(), extracted: 0, later: Vec::new() }
    }

    /// Index of the variable of that name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|variable| variable.name == name)
    }

    /// Index of a variable that is drawn so, new or declared before. The error: it was declared
    /// otherwise, or there are too many.
    pub(crate) fn declare(&mut self, name: &str, salt: u64, draw: Draw) -> Result<usize, String> {
        if let Some(index) = self.find(name) {
            return if self.variables[index].draw == draw {
                Ok(index)
            } else {
                Err(format!("`{name}` stands for something else before"))
            };
        }
        if self.variables.len() == VARIABLES_MAX {
            return Err(format!("more than {VARIABLES_MAX} variables in a request"));
        }
        self.variables.push(Variable { name: name.to_owned(), salt, draw });
        Ok(self.variables.len() - 1)
    }

    /// Declares a value that the answer of this step gives.
    pub(crate) fn extract(&mut self, name: &str) -> Result<usize, String> {
        if let Some(index) = self.find(name) {
            return match self.variables[index].draw {
                // Extracted again: the later value counts.
                Draw::Extracted(place) => Ok(place),
                _ => Err(format!("`{name}` is drawn before; an answer cannot change it")),
            };
        }
        let place = self.extracted;
        self.declare(name, 0, Draw::Extracted(place))?;
        self.extracted += 1;
        Ok(place)
    }
}

/// A salt by the name: FNV-1a.
pub(crate) fn salt_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
