//! Which certificates lie in a directory: `NAME.pem`, `NAME.crt` or `NAME.cer` with its key in
//! `NAME.key`, `NAME-key.pem` or the same file; a directory as certbot makes it, with
//! `fullchain.pem` and `privkey.pem`; or one of Kubernetes, with `tls.crt` and `tls.key`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use bulkhead_config::model::{Certificate, SecretSource};

/// Certificates of one directory.
const CERTIFICATES_MAX: usize = 100_000;

/// The certificates in `directory`, in the order of their names.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Certificate>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if is_hidden(&path) {
            continue;
        }
        found.extend(if path.is_dir() { pair(&path) } else { single(&path) });
        if found.len() > CERTIFICATES_MAX {
            let reason = format!("it holds more than {CERTIFICATES_MAX} certificates");
            return Err(io::Error::other(reason));
        }
    }
    found.extend(pair(directory));
    found.sort_unstable_by(|a, b| a.certificate_file.cmp(&b.certificate_file));
    Ok(found)
}

/// Also what Kubernetes keeps behind its links.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Files whose names belong together without being alike.
const PAIRS: [(&str, &str); 2] = [("fullchain.pem", "privkey.pem"), ("tls.crt", "tls.key")];

fn pair(directory: &Path) -> Option<Certificate> {
    PAIRS.into_iter().find_map(|(chain, key)| {
        let (chain, key) = (directory.join(chain), directory.join(key));
        (chain.is_file() && key.is_file()).then(|| certificate(chain, key))
    })
}

fn single(path: &Path) -> Option<Certificate> {
    let extension = path.extension().and_then(OsStr::to_str)?;
    let stem = path.file_stem().and_then(OsStr::to_str)?;
    let name = path.file_name().and_then(OsStr::to_str)?;
    let is_key = stem.ends_with("-key");
    let in_pair = PAIRS.iter().any(|(chain, key)| {
        (*chain == name || *key == name) && path.with_file_name(chain).is_file()
    });
    if !matches!(extension, "pem" | "crt" | "cer") || is_key || in_pair {
        return None;
    }
    let beside = [path.with_extension("key"), path.with_file_name(format!("{stem}-key.pem"))];
    let key = beside.into_iter().find(|key| key.is_file()).unwrap_or_else(|| path.to_owned());
    Some(certificate(path.to_owned(), key))
}

fn certificate(chain: PathBuf, key: PathBuf) -> Certificate {
    let ocsp_file = Some(chain.with_extension("ocsp")).filter(|path| path.is_file());
    Certificate { certificate_file: chain, private_key: SecretSource::File(key), ocsp_file }
}
