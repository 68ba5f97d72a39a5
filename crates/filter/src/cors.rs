//! Cross-origin resource sharing (the Fetch standard's CORS protocol): answers preflight requests, and
//! says in responses which scripts may read them.
//!
//! - trusts: neither side; what the upstream says of CORS is replaced
//! - buffers: nothing
//! - fuzzed by: the codec's targets (the result is encoded by it)

use bulkhead_message::{Failure, Fields, Known, Method, RequestHead, ResponseHead};

use crate::error::header_name;
use crate::{Context, Filter, FilterError, Flow, Response};

const ALLOW_CREDENTIALS: &[u8] = b"access-control-allow-credentials";
const ALLOW_HEADERS: &[u8] = b"access-control-allow-headers";
const ALLOW_METHODS: &[u8] = b"access-control-allow-methods";
const EXPOSE_HEADERS: &[u8] = b"access-control-expose-headers";
const MAX_AGE: &[u8] = b"access-control-max-age";
const REQUEST_HEADERS: &[u8] = b"access-control-request-headers";
const REQUEST_METHOD: &[u8] = b"access-control-request-method";

/// What is allowed. `*` in a list stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsSpec {
    /// Origins in lower case; `https://*.example.com` for any name below.
    pub allow_origins: Vec<String>,
    /// Methods beyond those that need no leave.
    pub allow_methods: Vec<String>,
    /// Request headers beyond those that need no leave.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// Requests may carry cookies and the like.
    pub allow_credentials: bool,
    /// How long the answer to a preflight request may be remembered, in seconds.
    pub max_age_s: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Cors {
    origins: Box<[Origin]>,
    any_origin: bool,
    methods: List,
    headers: List,
    exposed: List,
    credentials: bool,
    max_age: Box<[u8]>,
}

#[derive(Debug)]
enum Origin {
    Exact(Box<[u8]>),
    /// What stands before and behind the labels that are free: `https://`, `.example.com`.
    Below(Box<[u8]>, Box<[u8]>),
}

/// The value of a field that lists names.
#[derive(Debug)]
enum List {
    Any,
    /// May be empty: then the field is left out.
    These(Box<[u8]>),
}

impl List {
    fn new(names: &[String]) -> Self {
        if names.iter().any(|name| name == "*") {
            return Self::Any;
        }
        Self::These(names.join(", ").into_bytes().into())
    }
}

impl Cors {
    /// A filter with these rules.
    ///
    /// # Errors
    /// [`FilterError`] names the header that is none.
    pub fn new(spec: &CorsSpec) -> Result<Self, FilterError> {
        for name in spec.allow_headers.iter().chain(&spec.expose_headers) {
            if !bulkhead_message::is_token(name.as_bytes()) {
                header_name(name)?;
            }
        }
        Ok(Self {
            origins: spec.allow_origins.iter().map(|text| Origin::new(text)).collect(),
            any_origin: spec.allow_origins.iter().any(|text| text == "*"),
            methods: List::new(&spec.allow_methods),
            headers: List::new(&spec.allow_headers),
            exposed: List::new(&spec.expose_headers),
            credentials: spec.allow_credentials,
            max_age: spec.max_age_s.to_string().into_bytes().into(),
        })
    }

    fn allows(&self, origin: &[u8]) -> bool {
        self.any_origin || self.origins.iter().any(|one| one.is(origin))
    }

    fn preflight(&self, request: &Fields, origin: &[u8]) -> Response {
        let mut head = ResponseHead::new(204);
        self.name_origin(origin, &mut head.fields);
        if self.allows(origin) {
            let asked = |name| request.get_named(name).unwrap_or(&[]);
            self.allow(ALLOW_METHODS, &self.methods, asked(REQUEST_METHOD), &mut head.fields);
            self.allow(ALLOW_HEADERS, &self.headers, asked(REQUEST_HEADERS), &mut head.fields);
            head.fields.push(MAX_AGE, &self.max_age);
        }
        Response { head, body: Vec::new() }
    }

    /// Names what is allowed. With credentials `*` would be a name like any other, so what was asked
    /// for, or all that there is, is said instead.
    fn allow(&self, name: &[u8], list: &List, asked: &[u8], fields: &mut Fields) {
        let value = match list {
            List::Any if self.credentials => asked,
            List::Any => b"*",
            List::These(names) => names,
        };
        if !value.is_empty() {
            fields.push(name, value);
        }
    }

    /// Names the origin that is allowed, if it is.
    fn name_origin(&self, origin: &[u8], fields: &mut Fields) {
        let same_for_all = self.any_origin && !self.credentials;
        if !same_for_all {
            fields.push_known(Known::Vary, b"origin");
        }
        if !self.allows(origin) {
            return;
        }
        let value = if same_for_all { b"*" } else { origin };
        fields.push_known(Known::AccessControlAllowOrigin, value);
        if self.credentials {
            fields.push(ALLOW_CREDENTIALS, b"true");
        }
    }
}

impl Origin {
    fn new(text: &str) -> Self {
        match text.split_once("://*.") {
            Some((scheme, rest)) => Self::Below(
                format!("{scheme}://").into_bytes().into(),
                format!(".{rest}").into_bytes().into(),
            ),
            None => Self::Exact(text.as_bytes().into()),
        }
    }

    fn is(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => origin.eq_ignore_ascii_case(exact),
            Self::Below(scheme, rest) => {
                let lower = origin.to_ascii_lowercase();
                let labels =
                    lower.strip_prefix(&**scheme).and_then(|host| host.strip_suffix(&**rest));
                labels.is_some_and(|labels| {
                    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
                    !labels.is_empty() && labels.iter().all(allowed)
                })
            }
        }
    }
}

impl Filter for Cors {
    fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        let fields = &context.request.fields;
        let Some(origin) = fields.get(Known::Origin) else { return Ok(Flow::Continue) };
        let preflight = context.request.method() == Method::Options
            && fields.get_named(REQUEST_METHOD).is_some();
        if !preflight {
            return Ok(Flow::Continue);
        }
        Ok(Flow::Respond(Box::new(self.preflight(fields, origin))))
    }

    fn on_response_to(&self, request: &RequestHead, response: &mut ResponseHead) {
        let Some(origin) = request.fields.get(Known::Origin) else {
            if !self.any_origin || self.credentials {
                // A cache must not give what it got so to a script that has an origin.
                response.fields.push_known(Known::Vary, b"origin");
            }
            return;
        };
        let fields = &mut response.fields;
        fields.remove(Known::AccessControlAllowOrigin);
        fields.remove_named(ALLOW_CREDENTIALS);
        fields.remove_named(EXPOSE_HEADERS);
        self.name_origin(origin, fields);
        if !self.allows(origin) {
            return;
        }
        let all = match &self.exposed {
            List::Any if self.credentials => names(fields),
            List::Any | List::These(_) => Vec::new(),
        };
        self.allow(EXPOSE_HEADERS, &self.exposed, &all, fields);
    }

    fn touches_response(&self) -> bool {
        true
    }

    fn touches_failures(&self) -> bool {
        true
    }
}

/// The names of all fields.
fn names(fields: &Fields) -> Vec<u8> {
    let mut names: Vec<&[u8]> = fields.iter().map(|field| field.name).collect();
    names.sort_unstable();
    names.dedup();
    names.join(&b", "[..])
}

#[cfg(test)]
mod tests;
