//! Faults in requests and responses.

use serde::{Deserialize, Serialize};

/// What happens to exchanges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum HttpFault {
    /// The gateway answers by itself, and nothing goes upstream.
    Abort {
        /// 200 to 599.
        status: u16,
        /// Share of the exchanges, over 0 and up to 100.
        percent: f64,
    },
}

impl HttpFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Abort { .. } => "http.abort",
        }
    }
}
