//! TLS on both sides.

use super::listener::secret;
use crate::diagnostic::Report;
use crate::model::{
    Acme, Certificate, ClientCertificates, ListenerTls, NameMatch, TlsPolicy, TlsVersion,
    UpstreamTls,
};
use crate::scalar::Scalar;
use crate::value::{Item, TableValue, Value};

pub(super) fn listener_tls(
    table: &TableValue,
    acme: Option<&Acme>,
    report: &mut Report<'_>,
) -> ListenerTls {
    if let Some(item) = table.get("acme").filter(|_| acme.is_none()) {
        report
            .error(item.span, "there is no section `acme` whose certificates could be served")
            .remedy("add `acme` at the top of the file");
    }
    let certificates = table.list("certificates").iter().filter_map(Item::table);
    let ticket_keys = table.table("ticket_keys");
    ListenerTls {
        certificates: certificates.filter_map(certificate).collect(),
        certificates_dir: table.text("certificates_dir").map(Into::into),
        acme_dir: acme.filter(|_| table.flag("acme")).map(Acme::certificates_dir),
        policy: match table.text("policy") {
            Some("modern") => TlsPolicy::Modern,
            _ => TlsPolicy::Intermediate,
        },
        min_version: version(table),
        require_sni_match: table.flag("require_sni_match"),
        ticket_key_files: ticket_keys
            .map(|table| table.strings("files").into_iter().map(Into::into).collect())
            .unwrap_or_default(),
        client_certificates: table
            .table("client_certificates")
            .and_then(|table| client_certificates(table, report)),
    }
}

fn version(table: &TableValue) -> TlsVersion {
    match table.text("min_version") {
        Some("1.3") => TlsVersion::Tls13,
        _ => TlsVersion::Tls12,
    }
}

fn certificate(table: &TableValue) -> Option<Certificate> {
    Some(Certificate {
        certificate_file: table.text("certificate_file")?.into(),
        private_key: secret(table, "private_key_file", "private_key_env")?,
        ocsp_file: table.text("ocsp_file").map(Into::into),
    })
}

fn client_certificates(table: &TableValue, report: &mut Report<'_>) -> Option<ClientCertificates> {
    let matches = table.list("match").iter().filter_map(Item::table);
    Some(ClientCertificates {
        ca_file: table.text("ca_file")?.into(),
        required: table.text("mode") != Some("optional"),
        matches: matches.filter_map(|table| name_match(table, report)).collect(),
        crl_file: table.text("crl_file").map(Into::into),
    })
}

fn name_match(table: &TableValue, report: &mut Report<'_>) -> Option<NameMatch> {
    if let Some(name) = table.string("san_dns") {
        return Some(NameMatch::Dns(name));
    }
    let uri = ["san_uri", "spiffe"].into_iter().find_map(|key| table.get(key))?;
    check_uri(uri, table.get("spiffe").is_some(), report).then_some(())?;
    let text = uri.text().to_owned();
    Some(if table.get("spiffe").is_some() { NameMatch::Spiffe(text) } else { NameMatch::Uri(text) })
}

/// A pattern that matches nothing, or more than was meant, is refused.
fn check_uri(item: &Item, spiffe: bool, report: &mut Report<'_>) -> bool {
    let text = item.text();
    let exact = text.strip_suffix('*').unwrap_or(text);
    if exact.contains('*') {
        report.error(item.span, "a `*` can only stand at the end");
    } else if let Some(rest) = exact.strip_prefix("spiffe://") {
        let domain = rest.split('/').next().unwrap_or_default();
        if rest.is_empty() || (text.ends_with('*') && !rest.contains('/')) {
            report
                .error(item.span, "a SPIFFE pattern must name its whole trust domain")
                .remedy("write `spiffe://example.org/*` for all of a domain");
        } else if domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
            report.error(item.span, "trust domains are written in lower case");
        } else {
            return true;
        }
    } else if spiffe {
        report.error(item.span, "a SPIFFE id begins with `spiffe://`");
    } else if exact.is_empty() || !exact.contains(':') {
        report.error(item.span, "this is not a URI").remedy("write its scheme as well");
    } else {
        return true;
    }
    false
}

pub(super) fn upstream_tls(table: &TableValue, report: &mut Report<'_>) -> UpstreamTls {
    let insecure_skip_verify = table.flag("insecure_skip_verify");
    if insecure_skip_verify && let Some(item) = table.get("insecure_skip_verify") {
        report
            .warning(item.span, "upstream certificates are not verified")
            .remedy("name the trust anchors in `ca_file` instead");
        if let Some(item) = table.get("subject_alt_names") {
            report.error(item.span, "names are not looked at with `insecure_skip_verify`");
        }
    }
    let names = table.list("subject_alt_names").iter();
    UpstreamTls {
        server_name: table.string("server_name"),
        subject_alt_names: names.filter_map(|item| subject_alt_name(item, report)).collect(),
        ca_file: table.text("ca_file").map(Into::into),
        client_certificate: table.table("client_certificate").and_then(certificate),
        min_version: version(table),
        insecure_skip_verify,
    }
}

fn subject_alt_name(item: &Item, report: &mut Report<'_>) -> Option<NameMatch> {
    let text = item.text();
    if text.contains("://") {
        let spiffe = text.starts_with("spiffe://");
        let uri = text.to_owned();
        return check_uri(item, spiffe, report).then_some(if spiffe {
            NameMatch::Spiffe(uri)
        } else {
            NameMatch::Uri(uri)
        });
    }
    match Scalar::Hostname.read(text, true) {
        Ok(Value::Text(name)) => Some(NameMatch::Dns(name)),
        _ => {
            report.error(item.span, "this is neither a DNS name nor a URI");
            None
        }
    }
}
