//! Certificates obtained by ACME.

use std::collections::HashSet;

use super::listener::secret;
use crate::diagnostic::{Report, Span};
use crate::model::{Acme, AcmeChallenge, ExternalAccount, Listener, ListenerProtocol, ListenerTls};
use crate::value::{Item, TableValue, Value};

pub(super) fn acme(table: &TableValue, report: &mut Report<'_>) -> Acme {
    if let Some(item) = table.get("directory")
        && !item.text().starts_with("https://")
    {
        report.error(item.span, "the directory of an ACME server is an `https://` URL");
    }
    let challenge = challenge(table, report);
    let by_dns = matches!(challenge, AcmeChallenge::Dns01 { .. });
    let external = table.table("external_account");
    Acme {
        directory: table.string("directory").unwrap_or_default(),
        contact: contact(table, report),
        domains: domains(table.list("domains"), by_dns, report),
        challenge,
        storage: table.text("storage").map(Into::into).unwrap_or_default(),
        renew_before: table.duration("renew_before").unwrap_or_default(),
        ca_file: table.text("ca_file").map(Into::into),
        external_account: external.and_then(|table| {
            let key = secret(table, "secret_file", "secret_env")?;
            Some(ExternalAccount { key_id: table.string("key_id")?, key })
        }),
    }
}

fn contact(table: &TableValue, report: &mut Report<'_>) -> Vec<String> {
    for item in table.list("contact") {
        if !item.text().contains(':') {
            let remedy = format!("write `mailto:{}`", item.text());
            report.error(item.span, "a contact is a URL").remedy(remedy);
        }
    }
    table.strings("contact")
}

fn challenge(table: &TableValue, report: &mut Report<'_>) -> AcmeChallenge {
    let hook = table.get("dns_hook");
    match (table.text("challenge"), hook) {
        (Some("dns-01"), Some(hook)) => AcmeChallenge::Dns01 {
            hook: hook.text().into(),
            wait: table.duration("dns_wait").unwrap_or_default(),
        },
        (Some("dns-01"), None) => {
            if let Some(item) = table.get("challenge") {
                report
                    .error(item.span, "`dns-01` needs a program that makes DNS records")
                    .remedy("name it in `dns_hook`");
            }
            AcmeChallenge::Http01
        }
        (Some("tls-alpn-01"), _) => AcmeChallenge::TlsAlpn01,
        _ => AcmeChallenge::Http01,
    }
}

/// Names of one certificate at most: the limit of Let's Encrypt.
const NAMES_MAX: usize = 100;

fn domains(items: &[Item], by_dns: bool, report: &mut Report<'_>) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let mut domains = Vec::with_capacity(items.len());
    for item in items {
        let names: Vec<&Item> = match &item.value {
            Value::List(names) => names.iter().collect(),
            _ => vec![item],
        };
        if names.len() > NAMES_MAX {
            report.error(item.span, format!("a certificate has {NAMES_MAX} names at most"));
        }
        for name in &names {
            if name.text().starts_with("*.") && !by_dns {
                report
                    .error(name.span, "a wildcard can only be proved by DNS")
                    .remedy("set `challenge: dns-01` and `dns_hook`");
            }
        }
        if let Some(first) = names.first()
            && !seen.insert(first.text().to_owned())
        {
            report.error(first.span, "a certificate with this first name stands above");
        }
        domains.push(names.iter().map(|name| name.text().to_owned()).collect());
    }
    domains
}

/// Checks that somebody serves what is obtained, and can prove it.
pub(super) fn check_use(acme: &Acme, span: Span, listeners: &[Listener], report: &mut Report<'_>) {
    let serves = |tls: &&ListenerTls| tls.acme_dir.is_some();
    let mut serving = listeners
        .iter()
        .filter_map(|listener| Some((listener, listener.tls.as_ref().filter(serves)?)))
        .peekable();
    // What speaks no HTTP offers no protocols by ALPN, and so not the challenge's either.
    let is_deaf = |(listener, tls): (&Listener, &ListenerTls)| {
        listener.protocol != ListenerProtocol::Http
            || tls.client_certificates.as_ref().is_some_and(|clients| clients.required)
    };
    if serving.peek().is_none() {
        report
            .warning(span, "no listener serves the certificates of `acme`")
            .remedy("set `acme: true` in the `tls` of a listener");
    } else if acme.challenge == AcmeChallenge::TlsAlpn01 && serving.all(is_deaf) {
        report.error(span, "no listener could answer the ACME server's `tls-alpn-01`").remedy(
            "use `http-01`, or a listener for HTTP that does not require client certificates",
        );
    }
}
