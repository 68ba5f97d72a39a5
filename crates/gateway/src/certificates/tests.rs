use std::fs;

use bulkhead_testkit::{Authority, Leaf, Scratch};

use super::*;

fn source(chain: PathBuf, key: PathBuf) -> model::Certificate {
    let private_key = SecretSource::File(key);
    model::Certificate { certificate_file: chain, private_key, ocsp_file: None }
}

fn write(scratch: &Scratch, name: &str, leaf: &Leaf) -> model::Certificate {
    let chain = scratch.write(&format!("{name}.pem"), &leaf.chain_pem);
    source(chain, scratch.write(&format!("{name}.key"), &leaf.key_pem))
}

/// Loads and commits one certificate.
fn load(kept: &Certificates, source: &model::Certificate) -> Result<Certificate, ApplyError> {
    let mut loading = kept.begin(0);
    let certificate = loading.named(source)?;
    loading.commit(&Registry::new());
    Ok(certificate)
}

fn load_all(kept: &Certificates, directory: &Path) -> Vec<Certificate> {
    let mut loading = kept.begin(0);
    let certificates = loading.directory(directory).unwrap();
    loading.commit(&Registry::new());
    certificates
}

fn names(certificates: &[Certificate]) -> Vec<&str> {
    certificates.iter().map(|certificate| certificate.names()[0].as_str()).collect()
}

#[test]
fn what_did_not_change_is_not_parsed_again() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    let source = write(&scratch, "a", &authority.issue(&["a.test"]));
    let first = load(&kept, &source).unwrap();
    assert!(first.is_shared_with(&load(&kept, &source).unwrap()));
    write(&scratch, "a", &authority.issue(&["b.test"]));
    let other = load(&kept, &source).unwrap();
    assert!(!first.is_shared_with(&other));
    assert_eq!(other.names(), ["b.test"]);
    assert_eq!(kept.report().problems, []);
}

#[test]
fn a_bad_pair_keeps_the_old_one_and_is_told() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    let source = write(&scratch, "a", &authority.issue(&["a.test"]));
    let first = load(&kept, &source).unwrap();
    // The certificate is renewed before its key: for a moment they do not match.
    scratch.write("a.pem", authority.issue(&["a.test"]).chain_pem);
    assert!(first.is_shared_with(&load(&kept, &source).unwrap()));
    let report = kept.report();
    let [problem] = &report.problems[..] else { panic!("{report:?}") };
    assert!(problem.kept && problem.file.ends_with("a.pem"), "{problem:?}");
    assert!(problem.reason.contains("does not match"), "{problem:?}");
    fs::remove_file(&source.certificate_file).unwrap();
    assert!(first.is_shared_with(&load(&kept, &source).unwrap()));
    // Where there is no old one it is an error.
    let error = load(&Certificates::default(), &source).unwrap_err().to_string();
    assert!(error.contains("read certificate file"), "{error}");
    write(&scratch, "a", &authority.issue(&["a.test"]));
    assert!(!first.is_shared_with(&load(&kept, &source).unwrap()));
    assert_eq!(kept.report().problems, []);
}

#[test]
fn a_directory_is_read_in_the_ways_that_tools_write_it() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    let leaf = |name| authority.issue(&[name]);
    write(&scratch, "dir/a", &leaf("a.test"));
    let both = leaf("b.test");
    scratch.write("dir/b.pem", format!("{}{}", both.key_pem, both.chain_pem));
    let mkcert = leaf("c.test");
    scratch.write("dir/c.crt", &mkcert.chain_pem);
    scratch.write("dir/c-key.pem", &mkcert.key_pem);
    let certbot = leaf("d.test");
    scratch.write("dir/d.test/fullchain.pem", &certbot.chain_pem);
    scratch.write("dir/d.test/privkey.pem", &certbot.key_pem);
    scratch.write("dir/d.test/cert.pem", "looked at by nobody");
    let kubernetes = leaf("e.test");
    scratch.write("dir/e/tls.crt", &kubernetes.chain_pem);
    scratch.write("dir/e/tls.key", &kubernetes.key_pem);
    scratch.write("dir/..data/tls.crt", "hidden");
    scratch.write("dir/README", "no certificate");
    scratch.write("dir/bad.pem", "no certificate either");
    let directory = scratch.path().join("dir");
    let certificates = load_all(&kept, &directory);
    assert_eq!(names(&certificates), ["a.test", "b.test", "c.test", "d.test", "e.test"]);
    let report = kept.report();
    assert_eq!(report.total, 5);
    let [problem] = &report.problems[..] else { panic!("{report:?}") };
    assert!(!problem.kept && problem.file.ends_with("bad.pem"), "{problem:?}");
    fs::remove_file(directory.join("a.pem")).unwrap();
    assert_eq!(names(&load_all(&kept, &directory))[0], "b.test");
}

#[test]
fn the_ones_that_end_first_are_told() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    for (name, end) in [("c", 3_000_000_000), ("a", 2_000_000_000), ("b", 2_500_000_000)] {
        let leaf = authority.issue_until(&[&format!("{name}.test")], end);
        write(&scratch, &format!("dir/{name}"), &leaf);
    }
    let mut loading = kept.begin(0);
    loading.directory(&scratch.path().join("dir")).unwrap();
    let registry = Registry::new();
    loading.commit(&registry);
    let expected =
        [("a.test", 2_000_000_000), ("b.test", 2_500_000_000), ("c.test", 3_000_000_000)];
    assert_eq!(kept.report().soonest, expected.map(|(name, end)| (name.to_owned(), end)));
    let metrics = registry.render();
    for line in [
        "bulkhead_certificates 3",
        "bulkhead_certificate_problems 0",
        "bulkhead_certificate_not_after_min_seconds 2000000000",
        "bulkhead_certificate_not_after_seconds{certificate=\"b.test\"} 2500000000",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}

#[test]
fn ten_thousand_certificates_are_loaded_and_kept() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    const COUNT: usize = 10_000;
    for (number, leaf) in authority.issue_many(COUNT).enumerate() {
        scratch.write(&format!("dir/{number}.pem"), format!("{}{}", leaf.chain_pem, leaf.key_pem));
    }
    let directory = scratch.path().join("dir");
    let first = load_all(&kept, &directory);
    assert_eq!(first.len(), COUNT);
    let again = load_all(&kept, &directory);
    assert!(first.iter().zip(&again).all(|(one, two)| one.is_shared_with(two)));
    assert_eq!(kept.report().total, COUNT);
    assert_eq!(kept.report().soonest.len(), CERTIFICATES_TOLD);
}

#[test]
fn a_renewal_is_seen_when_the_files_had_settled() {
    let (scratch, authority, kept) = (Scratch::new(), Authority::new(), Certificates::default());
    let source = write(&scratch, "a", &authority.issue(&["a.test"]));
    // Far enough from now that the looks of the files are believed.
    let settled = || {
        let mut loading = kept.begin(u64::from(u32::MAX));
        let certificate = loading.named(&source).unwrap();
        loading.commit(&Registry::new());
        certificate
    };
    let first = settled();
    assert!(first.is_shared_with(&settled()));
    // Other files in their places: times alone may be the same within a tick of the kernel.
    write(&scratch, "next", &authority.issue(&["b.test"]));
    for end in ["pem", "key"] {
        let path = |name: &str| scratch.path().join(format!("{name}.{end}"));
        fs::rename(path("next"), path("a")).unwrap();
    }
    assert_eq!(settled().names(), ["b.test"]);
    fs::remove_file(scratch.path().join("a.key")).unwrap();
    assert_eq!(settled().names(), ["b.test"]);
    let problems = &kept.report().problems;
    assert!(problems.len() == 1 && problems[0].kept, "{problems:?}");
}
