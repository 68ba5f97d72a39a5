//! What ACME keeps on disk: accounts by server, and a file with chain and key for each certificate,
//! in a directory as a listener's `certificates_dir` is. Files are readable by their owner only and
//! put in place as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bulkhead_config::model::Acme;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// When a stored certificate is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

#[derive(Debug)]
pub(super) struct Storage {
    account: PathBuf,
    certificates: PathBuf,
}

impl Storage {
    pub(super) fn new(acme: &Acme) -> Self {
        let server: String = acme
            .directory
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
            .take(200)
            .collect();
        Self {
            account: acme.storage.join(format!("account-{server}.json")),
            certificates: acme.certificates_dir(),
        }
    }

    pub(super) fn account(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(&self.account) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn store_account(&self, credentials: &[u8]) -> io::Result<()> {
        put(&self.account, credentials)
    }

    /// Of the certificate for exactly these names; `None`: there is none that can be used.
    pub(super) fn validity(&self, names: &[String]) -> Option<Validity> {
        let certificate = CertificateDer::from_pem_slice(&fs::read(self.file(names)).ok()?).ok()?;
        let parsed = x509_cert::Certificate::from_der(&certificate).ok()?.tbs_certificate;
        let (_, alternatives) = parsed.get::<SubjectAltName>().ok()??;
        let has = |name: &String| {
            alternatives.0.iter().any(|found| match found {
                GeneralName::DnsName(found) => found.as_str().eq_ignore_ascii_case(name),
                _ => false,
            })
        };
        (alternatives.0.len() == names.len() && names.iter().all(has)).then(|| Validity {
            not_before: parsed.validity.not_before.to_unix_duration().as_secs(),
            not_after: parsed.validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// Stores chain and key in one file: nobody ever sees the one without the other.
    pub(super) fn store(&self, names: &[String], chain: &str, key: &str) -> io::Result<()> {
        let mut both = chain.trim_end().to_owned();
        both.push('\n');
        both.push_str(key);
        put(&self.file(names), both.as_bytes())
    }

    fn file(&self, names: &[String]) -> PathBuf {
        let first = names.first().map_or("", String::as_str).replace('*', "_");
        self.certificates.join(format!("{first}.pem"))
    }
}

fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Hidden from whoever looks for certificates.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.join(format!(".{name}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use bulkhead_config::model::AcmeChallenge;
    use bulkhead_testkit::{Authority, Scratch};

    use super::*;

    #[test]
    fn a_certificate_is_found_again_for_its_names_only() {
        let scratch = Scratch::new();
        let acme = Acme {
            directory: "https://acme.test/dir".to_owned(),
            contact: vec![],
            domains: vec![],
            challenge: AcmeChallenge::Http01,
            storage: scratch.path().join("acme"),
            renew_before: std::time::Duration::ZERO,
            ca_file: None,
            external_account: None,
        };
        let storage = Storage::new(&acme);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let wanted = names(&["*.a.test", "a.test"]);
        assert_eq!(storage.validity(&wanted), None);
        let leaf = Authority::new().issue_until(&["*.a.test", "a.test"], 2_000_000_000);
        storage.store(&wanted, &leaf.chain_pem, &leaf.key_pem).unwrap();
        assert_eq!(storage.validity(&wanted).unwrap().not_after, 2_000_000_000);
        assert_eq!(storage.validity(&names(&["*.a.test"])), None, "a name less");
        assert_eq!(storage.validity(&names(&["*.a.test", "a.test", "b.test"])), None);
        let file = acme.certificates_dir().join("_.a.test.pem");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(storage.account().unwrap(), None);
        storage.store_account(b"{}").unwrap();
        assert_eq!(storage.account().unwrap().as_deref(), Some(&b"{}"[..]));
    }
}
