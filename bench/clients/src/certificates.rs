//! A directory with a certificate per name, as HAProxy, nginx and Bulkhead all read it: chain and key
//! in one file.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use bulkhead_testkit::Authority;

/// The name of a certificate.
pub(crate) fn name(number: usize) -> String {
    format!("{number}.many.test")
}

/// Writes `served/NUMBER.many.test.pem` for so many names, each with a key of its own (ECDSA P-256);
/// `ca.pem`, which issued them; and `renewed.pem`, another certificate for the first name.
pub(crate) fn write(directory: &Path, count: usize) -> Result<()> {
    let served = directory.join("served");
    fs::create_dir_all(&served).context("create the directory")?;
    let authority = Authority::new();
    fs::write(directory.join("ca.pem"), authority.certificate_pem()).context("write ca.pem")?;
    for number in 0..count {
        let path = served.join(format!("{}.pem", name(number)));
        fs::write(path, pem(&authority, number)).context("write a certificate")?;
    }
    fs::write(directory.join("renewed.pem"), pem(&authority, 0)).context("write renewed.pem")
}

fn pem(authority: &Authority, number: usize) -> String {
    let leaf = authority.issue(&[&name(number)]);
    format!("{}{}", leaf.chain_pem, leaf.key_pem)
}
