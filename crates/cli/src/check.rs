//! `bulkhead check`: what is wrong with a configuration file.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bulkhead_config::model::{JwtKeys, SecretSource};
use bulkhead_config::{Config, Diagnostic, Severity};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::config_file;

/// Everything found.
#[derive(Debug, Default)]
struct Findings {
    diagnostics: Vec<Diagnostic>,
    /// Files and variables that are not there: (what is wrong, what to do).
    missing: Vec<(String, &'static str)>,
    summary: String,
}

impl Findings {
    fn errors(&self) -> usize {
        let errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        errors.count() + self.missing.len()
    }
}

pub(crate) fn execute(args: &CheckArgs) -> Result<ExitCode> {
    if args.schema {
        writeln!(io::stdout(), "{:#}", bulkhead_config::schema()).context("write the schema")?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(path) = &args.file else { bail!("name a configuration file") };
    let text = source(path).read().with_context(|| format!("read `{}`", path.display()))?;
    let file = path.display().to_string();
    let findings = find(&text, &file);
    if args.json {
        writeln!(io::stdout(), "{:#}", to_json(&file, &findings)).context("write the result")?;
    } else {
        io::stderr().write_all(to_text(&file, &findings).as_bytes()).context("write the result")?;
        if findings.errors() == 0 {
            writeln!(io::stdout(), "{file}: ok ({})", findings.summary)
                .context("write the result")?;
        }
    }
    Ok(if findings.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn source(path: &Path) -> bulkhead_control::ConfigSource {
    bulkhead_control::ConfigSource { path: path.to_owned(), parse: config_file::parse }
}

fn find(text: &str, file: &str) -> Findings {
    match config_file::check(text, file) {
        Err(errors) => Findings { diagnostics: errors.0, ..Findings::default() },
        Ok(checked) => Findings {
            diagnostics: checked.warnings,
            missing: missing(&checked.config),
            summary: summary(&checked.config),
        },
    }
}

fn summary(config: &Config) -> String {
    let count =
        |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    [
        count(config.listeners.len(), "listener"),
        count(config.routes.len() + config.tcp_routes.len() + config.tls_routes.len(), "route"),
        count(config.clusters.len(), "cluster"),
    ]
    .join(", ")
}

/// Files that cannot be opened and variables that are not set.
fn missing(config: &Config) -> Vec<(String, &'static str)> {
    let mut missing = Vec::new();
    // It is made when the first certificate is obtained.
    let made_later = config.acme.as_ref().map(|acme| acme.certificates_dir());
    for path in bulkhead_control::referenced_files(config) {
        if made_later.as_ref() == Some(&path) {
            continue;
        }
        if let Err(error) = std::fs::File::open(&path) {
            missing.push((
                format!("open `{}`: {error}", path.display()),
                "paths are relative to the configuration file",
            ));
        }
    }
    for name in variables(config) {
        if std::env::var_os(name).is_none() {
            missing.push((
                format!("environment variable `{name}` is not set"),
                "set it where the gateway is started",
            ));
        }
    }
    missing
}

/// Environment variables that secrets come from.
fn variables(config: &Config) -> Vec<&str> {
    let certificates = config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref())
        .flat_map(|tls| tls.certificates.iter().map(|certificate| &certificate.private_key));
    let secrets = config.jwt_providers.values().filter_map(|provider| match &provider.keys {
        JwtKeys::Secret(source) => Some(source),
        _ => None,
    });
    let clusters = config.clusters.values().filter_map(|cluster| cluster.tls.as_ref());
    let own =
        clusters.filter_map(|tls| tls.client_certificate.as_ref()).map(|own| &own.private_key);
    let account = config.acme.iter().filter_map(|acme| acme.external_account.as_ref());
    let mut names: Vec<&str> = certificates
        .chain(secrets)
        .chain(own)
        .chain(account.map(|account| &account.key))
        .filter_map(|source| match source {
            SecretSource::Environment(name) => Some(name.as_str()),
            SecretSource::File(_) => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn to_text(file: &str, findings: &Findings) -> String {
    let mut text = String::new();
    for found in &findings.diagnostics {
        text.push_str(&format!("{found}\n\n"));
    }
    for (message, remedy) in &findings.missing {
        text.push_str(&format!("{file}: {message}\n = help: {remedy}\n\n"));
    }
    match findings.errors() {
        0 => {}
        1 => text.push_str(&format!("{file}: 1 error\n")),
        errors => text.push_str(&format!("{file}: {errors} errors\n")),
    }
    text
}

fn to_json(file: &str, findings: &Findings) -> Value {
    let of = |severity| {
        let found = findings.diagnostics.iter().filter(move |found| found.severity == severity);
        found.map(diagnostic_json).collect::<Vec<_>>()
    };
    let mut errors = of(Severity::Error);
    for (message, remedy) in &findings.missing {
        errors.push(json!({ "file": file, "message": message, "remedy": remedy }));
    }
    json!({
        "file": file,
        "ok": errors.is_empty(),
        "errors": errors,
        "warnings": of(Severity::Warning),
    })
}

fn diagnostic_json(found: &Diagnostic) -> Value {
    json!({
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "path": found.path,
        "message": found.message,
        "expected": found.expected,
        "suggestion": found.suggestion,
        "remedy": found.remedy,
    })
}

#[cfg(test)]
mod tests;
