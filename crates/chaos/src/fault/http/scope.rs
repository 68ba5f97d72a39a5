//! Which exchanges a fault befalls.

use serde::{Deserialize, Serialize};

use super::HttpFaultError;

/// Conditions on headers of one fault.
pub const HEADERS_MAX: usize = 16;
/// Bytes of any name or value in a declaration.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// Which exchanges. All that is given must hold; what is left out holds for all.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpScope {
    /// Share of those for which all else holds, over 0 and up to 100; with a control group up to 50,
    /// for that is as large.
    pub percent: f64,
    /// Name of the listener that the client came through.
    pub listener: Option<String>,
    /// Name of the route.
    pub route: Option<String>,
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Address of the endpoint: `10.0.0.1:8080`, `unix:/path`.
    pub endpoint: Option<String>,
    /// Request headers, at most [`HEADERS_MAX`].
    pub headers: Vec<HeaderCondition>,
    /// Exchanges that it befalls at a time, over all workers; more are spared.
    pub active_max: Option<u32>,
    /// Compare with as many that are spared, which are marked as `control`.
    pub control_group: Option<Sticky>,
}

/// A request header that must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// Its name, in any case.
    pub name: String,
    /// Its value; left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What exchanges of the same group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    /// Nothing: each is drawn by itself.
    Request,
    /// The client's connection.
    Connection,
    /// The value of this request header; without it there is no group.
    Header(String),
}

impl HttpScope {
    /// So many percent of all exchanges.
    pub const fn all(percent: f64) -> Self {
        Self {
            percent,
            listener: None,
            route: None,
            cluster: None,
            endpoint: None,
            headers: Vec::new(),
            active_max: None,
            control_group: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), HttpFaultError> {
        let wrong = |text: &str| Err(HttpFaultError(text.to_owned()));
        if !(self.percent > 0.0 && self.percent <= 100.0) {
            return wrong("`percent` is over 0 and up to 100");
        }
        if self.control_group.is_some() && self.percent > 50.0 {
            return wrong("the control group is as large as the other: `percent` is at most 50");
        }
        if self.active_max == Some(0) {
            return wrong("`active_max` is at least 1");
        }
        if self.headers.len() > HEADERS_MAX {
            return wrong("at most 16 `headers`");
        }
        let texts =
            [&self.listener, &self.route, &self.cluster, &self.endpoint].into_iter().flatten();
        let headers = self
            .headers
            .iter()
            .flat_map(|header| std::iter::once(&header.name).chain(&header.value));
        let sticky = match &self.control_group {
            Some(Sticky::Header(name)) => Some(name),
            _ => None,
        };
        if texts.chain(headers).any(|text| text.len() > TEXT_BYTES_MAX) {
            return wrong("a name or value is longer than 1024 bytes");
        }
        let names = self.headers.iter().map(|header| &header.name).chain(sticky);
        if !names.into_iter().all(|name| is_field_name(name)) {
            return wrong("this is no name of a header");
        }
        Ok(())
    }
}

/// A token (RFC 9110 §5.6.2).
fn is_field_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= TEXT_BYTES_MAX && name.bytes().all(is_token)
}
