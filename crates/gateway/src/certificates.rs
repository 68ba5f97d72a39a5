//! Certificates by the files they come from. Each is parsed once and shared by all listeners and by
//! all configurations until its files have another content, and its files are read again only if they
//! look otherwise from outside. Where they cannot be used, the certificate that was read before stays,
//! and the fault is told.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_config::model::{self, SecretSource};
use bulkhead_telemetry::{CERTIFICATES_TOLD, CertificateFacts, Registry};
use bulkhead_transport::{Certificate, CertificatePem, Staple};

use crate::snapshot::{ApplyError, read_file, read_secret};

mod directory;
mod looks;

use looks::Looks;

/// Faults that are told; of more only the number is.
const PROBLEMS_TOLD: usize = 100;

/// A certificate, or its OCSP response, whose files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateProblem {
    /// File with the certificate, or with the OCSP response.
    pub file: PathBuf,
    /// What is wrong.
    pub reason: String,
    /// The one that was read before is still served.
    pub kept: bool,
}

/// The certificates in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateReport {
    /// Those that end first: name and last second of validity, since 1970. At most
    /// [`CERTIFICATES_TOLD`].
    pub soonest: Vec<(String, u64)>,
    /// How many there are.
    pub total: usize,
    /// What could not be used; at most 100 are told.
    pub problems: Vec<CertificateProblem>,
    /// When an OCSP response is to be stapled no more: the configuration is to be applied again
    /// then. Seconds since 1970.
    pub staple_ends: Option<u64>,
}

/// See the module. Lives as long as the gateway.
#[derive(Debug, Default)]
pub(crate) struct Certificates(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<model::Certificate, Entry>,
    report: Arc<CertificateReport>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Of chain and key. Not kept themselves: the key is a secret, and lies in the parsed form only.
    digest: u64,
    /// Of the files before they were read; `None`: they are read the next time in any case.
    looks: Option<Looks>,
    certificate: Certificate,
    staple: Option<StapleEntry>,
}

#[derive(Clone, Debug)]
struct StapleEntry {
    staple: Staple,
    certificate: Certificate,
}

impl Certificates {
    /// Begins to load the certificates of a configuration. `now`: seconds since 1970.
    pub(crate) fn begin(&self, now: u64) -> Loading<'_> {
        Loading { kept: self, entries: HashMap::new(), problems: Vec::new(), problem_count: 0, now }
    }

    pub(crate) fn report(&self) -> Arc<CertificateReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).report.clone()
    }
}

/// Certificates of one configuration.
#[derive(Debug)]
pub(crate) struct Loading<'a> {
    kept: &'a Certificates,
    entries: HashMap<model::Certificate, Entry>,
    problems: Vec<CertificateProblem>,
    problem_count: usize,
    now: u64,
}

impl Loading<'_> {
    /// A certificate that the configuration names. An error if it cannot be used and never could.
    pub(crate) fn named(&mut self, source: &model::Certificate) -> Result<Certificate, ApplyError> {
        self.load(source)
    }

    /// All certificates in a directory. Those that cannot be used are told and left out.
    pub(crate) fn directory(&mut self, path: &Path) -> Result<Vec<Certificate>, ApplyError> {
        let sources = directory::list(path).map_err(|source| ApplyError::ReadFile {
            what: "directory of certificates",
            path: path.to_owned(),
            source,
        })?;
        let mut certificates = Vec::with_capacity(sources.len());
        for source in &sources {
            match self.load(source) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => self.problem(&source.certificate_file, &error, false),
            }
        }
        Ok(certificates)
    }

    fn load(&mut self, source: &model::Certificate) -> Result<Certificate, ApplyError> {
        if let Some(entry) = self.entries.get(source) {
            // Another listener has it too.
            return Ok(entry.current());
        }
        let old = self.old(source);
        let entry = match (read(source, old.as_ref(), self.now), old) {
            (Ok(entry), _) => entry,
            (Err(error), Some(old)) => {
                self.problem(&source.certificate_file, &error, true);
                old
            }
            (Err(error), None) => return Err(error),
        };
        let entry = self.with_staple(source, entry);
        let certificate = entry.current();
        self.entries.insert(source.clone(), entry);
        Ok(certificate)
    }

    fn old(&self, source: &model::Certificate) -> Option<Entry> {
        let kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.get(source).cloned()
    }

    /// Staples the OCSP response, if it can be used: without one a certificate is as good.
    fn with_staple(&mut self, source: &model::Certificate, entry: Entry) -> Entry {
        let Some(path) = &source.ocsp_file else { return Entry { staple: None, ..entry } };
        let now = self.now;
        let read = read_file("OCSP response", path).and_then(|der| {
            Staple::parse(&der, &entry.certificate, now)
                .map_err(|source| ApplyError::Staple { path: path.clone(), source })
        });
        match (read, &entry.staple) {
            (Ok(staple), Some(old)) if old.staple == staple => entry,
            (Ok(staple), _) => {
                let certificate = entry.certificate.with_staple(Some(&staple));
                Entry { staple: Some(StapleEntry { staple, certificate }), ..entry }
            }
            (Err(error), Some(old)) if old.staple.good_until() > now => {
                self.problem(path, &error, true);
                entry
            }
            (Err(error), _) => {
                self.problem(path, &error, false);
                Entry { staple: None, ..entry }
            }
        }
    }

    fn problem(&mut self, file: &Path, error: &ApplyError, kept: bool) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD {
            let reason = error.to_string();
            self.problems.push(CertificateProblem { file: file.to_owned(), reason, kept });
        }
    }

    /// The configuration is compiled: what it does not name is forgotten, and the rest is told.
    pub(crate) fn commit(self, registry: &Registry) {
        let mut soonest: Vec<_> = self.entries.iter().map(|(source, it)| it.told(source)).collect();
        soonest.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        soonest.truncate(CERTIFICATES_TOLD);
        let staples = self.entries.values().filter_map(|entry| entry.staple.as_ref());
        let report = CertificateReport {
            soonest,
            total: self.entries.len(),
            problems: self.problems,
            staple_ends: staples.map(|entry| entry.staple.good_until()).min(),
        };
        registry.set_certificates(CertificateFacts {
            soonest: report.soonest.clone(),
            total: report.total,
            problems: self.problem_count,
        });
        let mut kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Kept { entries: self.entries, report: Arc::new(report) };
    }
}

impl Entry {
    fn current(&self) -> Certificate {
        self.staple.as_ref().map_or(&self.certificate, |entry| &entry.certificate).clone()
    }

    /// Its name in metrics and events: the first DNS name, or else the file.
    fn told(&self, source: &model::Certificate) -> (String, u64) {
        let name = self.certificate.names().first().cloned();
        let file = || source.certificate_file.display().to_string();
        (name.unwrap_or_else(file), self.certificate.not_after())
    }
}

/// Reads the files if they look otherwise than before, and parses them if they have another content.
/// `now`: seconds since 1970.
fn read(source: &model::Certificate, old: Option<&Entry>, now: u64) -> Result<Entry, ApplyError> {
    // Before they are read: what changes while they are is seen the next time.
    let looks = Looks::of(source, now);
    if let Some(old) = old.filter(|old| looks.is_some() && old.looks == looks) {
        return Ok(old.clone());
    }
    let pem = CertificatePem {
        chain_pem: read_file("certificate file", &source.certificate_file)?,
        key_pem: read_secret("private key", &source.private_key)?,
    };
    let mut hasher = DefaultHasher::new();
    hasher.write(&pem.chain_pem);
    hasher.write_usize(pem.chain_pem.len());
    hasher.write(&pem.key_pem);
    let digest = hasher.finish();
    if let Some(old) = old.filter(|old| old.digest == digest) {
        return Ok(Entry { looks, ..old.clone() });
    }
    let certificate = Certificate::parse(&pem).map_err(|source_of| ApplyError::Certificate {
        path: source.certificate_file.clone(),
        key: match &source.private_key {
            SecretSource::File(path) => path.display().to_string(),
            SecretSource::Environment(name) => format!("${name}"),
        },
        source: source_of,
    })?;
    Ok(Entry { digest, looks, certificate, staple: None })
}

#[cfg(test)]
mod tests;
