//! Tokens that a gateway asks for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_config::Config;
use bulkhead_config::model::{Filter, JwtAlgorithm, JwtFilter, JwtKeys, JwtProvider};
use bulkhead_testkit::SigningKey;
use serde_json::json;

const NAME: &str = "accounts";
/// Longer than all of it takes.
const LIFE: Duration = Duration::from_secs(3_600);

pub(crate) struct Issuer(SigningKey);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(SigningKey::es256())
    }

    /// Lets nobody in without a token, and tells the upstream whose it is.
    pub(crate) fn guard(&self, config: &mut Config) {
        let provider = JwtProvider {
            name: NAME.to_owned(),
            issuer: Some(NAME.to_owned()),
            audiences: Vec::new(),
            algorithms: vec![JwtAlgorithm::Es256],
            keys: JwtKeys::InlineJwks(self.0.jwks("one")),
            clock_skew: Duration::from_secs(5),
            cache_size: 100,
        };
        config.jwt_providers.insert(NAME.to_owned(), provider);
        config.routes[0].filters.push(Filter::Jwt(JwtFilter {
            providers: vec![NAME.to_owned()],
            optional: false,
            claims_to_headers: [("sub".to_owned(), "x-user".to_owned())].into(),
            forward_token: false,
        }));
    }

    pub(crate) fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let claims = json!({"iss": NAME, "sub": "user-7", "exp": (now + LIFE).as_secs()});
        self.0.token_with_kid("one", &claims)
    }
}
