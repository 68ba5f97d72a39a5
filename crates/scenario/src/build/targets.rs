//! Targets and token pools.

use std::net::IpAddr;

use bulkhead_config::document::{Item, TableValue, Value, quote, quote_name};

use super::{Builder, within};
use crate::endpoint::Endpoint;
use crate::settings::{Algorithm, SigningKey, TargetSettings, TlsSettings, TokenSettings};

/// Largest file of a key or of certificates.
const PEM_BYTES_MAX: usize = 4 << 20;
/// Shortest secret of HS256 (RFC 7518 §3.2).
const SECRET_BYTES_MIN: usize = 32;

impl Builder<'_, '_> {
    pub(super) fn targets(&mut self, items: &[(Item, Item)]) -> Vec<TargetSettings> {
        let mut targets = Vec::new();
        for (name, item) in items {
            let settings = match &item.value {
                Value::Text(_) => self.target(name.text(), item, &TableValue::default()),
                Value::Table(table) => match table.get("url") {
                    Some(url) => self.target(name.text(), url, table),
                    None => None,
                },
                _ => None,
            };
            // A target with a fault is still one that requests may name.
            targets.push(settings.unwrap_or_else(|| fallback(name.text())));
        }
        targets
    }

    fn target(&mut self, name: &str, url: &Item, table: &TableValue) -> Option<TargetSettings> {
        if url.text().is_empty() {
            return None;
        }
        let given = self.surroundings.url;
        let (endpoint, path) = match Endpoint::parse(given.unwrap_or_else(|| url.text())) {
            Ok(found) => found,
            Err(fault) => {
                let message = match given {
                    Some(given) => format!("{fault}: {} was given", quote(given)),
                    None => fault.to_string(),
                };
                self.report.error(url.span, message).remedy(fault.remedy());
                return None;
            }
        };
        if path.contains(['?', '{']) {
            let offset = url.text().find(['?', '{']).unwrap_or(0);
            self.report
                .error(within(url, url.text(), offset, 1), "the URL of a target has only a path")
                .remedy("queries and placeholders stand in the paths of the requests");
        }
        let mut sources = Vec::new();
        for item in table.list("sources") {
            match item.text().parse::<IpAddr>() {
                Ok(address) => sources.push(address),
                Err(_) => {
                    let text = quote(item.text());
                    self.report.error(item.span, format!("{text} is no IP address"));
                }
            }
        }
        let tls = match (table.get("tls"), table.table("tls")) {
            (Some(item), Some(tls)) => self.tls(item, tls, &endpoint),
            _ => TlsSettings::default(),
        };
        Some(TargetSettings {
            name: name.to_owned(),
            base: path.trim_end_matches('/').to_owned(),
            endpoint,
            connections: table.number("connections"),
            streams: table.number("streams"),
            connection_life: table.duration("connection_life"),
            connection_requests: table.number("connection_requests"),
            sources,
            tls,
        })
    }

    fn tls(&mut self, item: &Item, table: &TableValue, endpoint: &Endpoint) -> TlsSettings {
        let given = table.get("ca_file").is_some()
            || table.get("server_name").is_some()
            || table.flag("skip_verify");
        if given && !endpoint.tls {
            self.report
                .warning(item.span, "`tls` means nothing for a URL without TLS")
                .remedy("use https:// or h2://, or remove `tls`");
        }
        TlsSettings {
            ca_pem: table.get("ca_file").and_then(|item| self.read(item, PEM_BYTES_MAX)),
            server_name: table.string("server_name"),
            skip_verify: table.flag("skip_verify"),
        }
    }

    pub(super) fn tokens(&mut self, items: &[(Item, Item)]) -> Vec<TokenSettings> {
        let settings = |(name, item): &(Item, Item)| {
            let table = item.table()?;
            let algorithm = match table.text("algorithm")? {
                "RS256" => Algorithm::Rs256,
                "ES256" => Algorithm::Es256,
                "EdDSA" => Algorithm::EdDsa,
                _ => Algorithm::Hs256,
            };
            Some(TokenSettings {
                name: name.text().to_owned(),
                count: table.number("pool").unwrap_or(1),
                algorithm,
                key: self.key(table, algorithm),
                key_id: table.string("kid"),
                claims: self.claims(table),
                lifetime: table.duration("lifetime").unwrap_or_default(),
                jwks_file: self.jwks_file(table, algorithm),
            })
        };
        items.iter().filter_map(settings).collect()
    }

    fn key(&mut self, table: &TableValue, algorithm: Algorithm) -> SigningKey {
        let Some(item) = table.get("key_file") else {
            if let Some(item) = table.get("algorithm").filter(|_| algorithm == Algorithm::Hs256) {
                self.report
                    .error(
                        item.span,
                        "HS256 needs `key_file`: a secret that nobody knows checks nothing",
                    )
                    .remedy("add `key_file`, or use RS256, ES256 or EdDSA");
            }
            return SigningKey::Generated;
        };
        let Some(key) = self.read(item, PEM_BYTES_MAX) else { return SigningKey::Generated };
        if algorithm == Algorithm::Hs256 && key.len() < SECRET_BYTES_MIN {
            self.report
                .error(item.span, format!("the secret has fewer than {SECRET_BYTES_MIN} bytes"));
        }
        SigningKey::Given(key)
    }

    fn jwks_file(&mut self, table: &TableValue, algorithm: Algorithm) -> Option<String> {
        let item = table.get("jwks_file")?;
        if algorithm == Algorithm::Hs256 {
            self.report
                .error(item.span, "HS256 has no public key to be written")
                .remedy("remove `jwks_file`, or use RS256, ES256 or EdDSA");
        }
        Some(item.text().to_owned())
    }

    fn claims(&mut self, table: &TableValue) -> serde_json::Map<String, serde_json::Value> {
        let Some(item) = table.get("claims") else { return serde_json::Map::new() };
        let Value::Json(text) = &item.value else { return serde_json::Map::new() };
        match serde_json::from_str(text) {
            Ok(claims) => {
                self.reserved_claims(item, &claims);
                claims
            }
            Err(_) => {
                self.report.error(item.span, "`claims` is not a JSON object").expected(
                    "a mapping such as `{iss: https://issuer.example, sub: 'user-{index}'}`",
                );
                serde_json::Map::new()
            }
        }
    }

    fn reserved_claims(
        &mut self,
        item: &Item,
        claims: &serde_json::Map<String, serde_json::Value>,
    ) {
        for name in ["iat", "exp"].into_iter().filter(|name| claims.contains_key(*name)) {
            self.report
                .error(
                    item.span,
                    format!("the claim {} is set when tokens are signed", quote_name(name)),
                )
                .remedy("write how long they are valid as `lifetime`");
        }
    }
}

/// Stands for a target with a fault, so that its requests are still checked.
fn fallback(name: &str) -> TargetSettings {
    let endpoint = Endpoint {
        protocol: bulkhead_load::Protocol::Http2,
        tls: false,
        authority: String::new(),
        host: String::new(),
        port: 0,
    };
    TargetSettings::new(name, endpoint, 1)
}
