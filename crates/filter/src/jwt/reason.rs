//! Why a token was refused: fixed texts, so that nothing of the token reaches a log or an answer.

use bulkhead_message::{Failure, FailureKind};

macro_rules! reasons {
    ($($variant:ident, $error:literal, $detail:literal;)*) => {
        /// In the order in which checks are made: a later one came further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Reason { $(#[doc = $detail] $variant,)* }

        impl Reason {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }
        }

        /// The value of `www-authenticate` (RFC 6750 §3) for the detail of a failure that
        /// [`crate::JwtFilter`] gave; plain `Bearer` for any other.
        pub fn bearer_challenge(detail: &str) -> &'static str {
            // Without a token the client is told no more than the scheme (RFC 6750 §3.1).
            if detail == Reason::Missing.detail() {
                return "Bearer";
            }
            match detail {
                $($detail => concat!(
                    "Bearer error=\"", $error, "\", error_description=\"", $detail, "\""
                ),)*
                _ => "Bearer",
            }
        }
    };
}

reasons! {
    Missing, "", "no bearer token";
    Ambiguous, "invalid_request", "more than one authorization field";
    TooLong, "invalid_token", "token is too long";
    Malformed, "invalid_token", "token is malformed";
    Critical, "invalid_token", "token has an unknown critical header";
    Algorithm, "invalid_token", "token's algorithm is not accepted";
    Issuer, "invalid_token", "token's issuer is not accepted";
    UnknownKey, "invalid_token", "token's key is not known";
    Signature, "invalid_token", "token's signature is wrong";
    Times, "invalid_token", "token's exp or nbf is missing or no number";
    Expired, "invalid_token", "token has expired";
    NotYetValid, "invalid_token", "token is not valid yet";
    Audience, "invalid_token", "token is for another audience";
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::downstream(FailureKind::Unauthenticated, reason.detail())
    }
}
