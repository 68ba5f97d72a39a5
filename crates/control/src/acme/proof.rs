//! Proofs that a name is ours: by HTTP, by a handshake, or by a DNS record that a program makes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bulkhead_config::model::AcmeChallenge;
use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::order::AcmeError;
use crate::plane::{AcmeChallenges, Plane};

/// How long the program for DNS records may take.
const HOOK_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked whether it has ended.
const HOOK_POLL: Duration = Duration::from_millis(50);

/// Proofs of one order, and how to take them back.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    answers: AcmeChallenges,
    /// Name and value of each DNS record.
    records: Vec<(String, String)>,
}

/// The kind of challenge that the configuration asks for.
pub(super) fn kind(challenge: &AcmeChallenge) -> ChallengeType {
    match challenge {
        AcmeChallenge::Http01 => ChallengeType::Http01,
        AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        AcmeChallenge::Dns01 { .. } => ChallengeType::Dns01,
    }
}

impl Proofs {
    /// Adds the proof for one name, without a wildcard's `*.`.
    pub(super) fn add(
        &mut self,
        challenge: &AcmeChallenge,
        name: &str,
        token: &str,
        key: &KeyAuthorization,
    ) -> Result<(), AcmeError> {
        match challenge {
            AcmeChallenge::Http01 => {
                self.answers.http.push((token.to_owned(), key.as_str().to_owned()));
            }
            AcmeChallenge::TlsAlpn01 => {
                let pair = KeyPair::generate()?;
                let mut params = CertificateParams::new(vec![name.to_owned()])?;
                params.custom_extensions =
                    vec![CustomExtension::new_acme_identifier(key.digest().as_ref())];
                let chain = params.self_signed(&pair)?.pem();
                self.answers.tls.push((name.to_lowercase(), chain, pair.serialize_pem()));
            }
            AcmeChallenge::Dns01 { .. } => {
                self.records.push((name.to_owned(), key.dns_value()));
            }
        }
        Ok(())
    }

    /// Lets everybody see the proofs.
    pub(super) async fn present(
        &self,
        challenge: &AcmeChallenge,
        plane: &dyn Plane,
    ) -> Result<(), AcmeError> {
        plane.set_acme_challenges(self.answers.clone()).map_err(AcmeError::Plane)?;
        if let AcmeChallenge::Dns01 { hook, wait } = challenge {
            for (name, value) in &self.records {
                run_hook(hook, "present", name, value).await?;
            }
            tokio::time::sleep(*wait).await;
        }
        Ok(())
    }

    /// Takes them back. Failures mean nothing to the certificate.
    pub(super) async fn clean_up(&self, challenge: &AcmeChallenge, plane: &dyn Plane) {
        let _ = plane.set_acme_challenges(AcmeChallenges::default());
        if let AcmeChallenge::Dns01 { hook, .. } = challenge {
            for (name, value) in &self.records {
                let _ = run_hook(hook, "cleanup", name, value).await;
            }
        }
    }
}

async fn run_hook(hook: &Path, action: &str, name: &str, value: &str) -> Result<(), AcmeError> {
    let failed = |reason: String| AcmeError::Hook { action: action.to_owned(), reason };
    let mut child = Command::new(hook)
        .arg(action)
        .env("ACME_DOMAIN", name)
        .env("ACME_RECORD", format!("_acme-challenge.{name}"))
        .env("ACME_VALUE", value)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let ended = wait_for(&mut child).await;
    if ended.is_err() {
        // It may have ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended.map_err(failed)
}

async fn wait_for(child: &mut Child) -> Result<(), String> {
    let until = Instant::now() + HOOK_TIMEOUT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Ok(None) if Instant::now() < until => tokio::time::sleep(HOOK_POLL).await,
            Ok(None) => return Err(format!("it takes longer than {} s", HOOK_TIMEOUT.as_secs())),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use bulkhead_testkit::Scratch;

    use super::*;

    #[test]
    fn the_hook_hears_of_the_record_and_its_failure_is_told() {
        let scratch = Scratch::new();
        let log = scratch.path().join("log");
        let text = format!(
            "#!/bin/sh\necho \"$1 $ACME_DOMAIN $ACME_RECORD $ACME_VALUE\" >> {}\n\
             test \"$1\" = present\n",
            log.display()
        );
        let hook = scratch.write("hook.sh", text);
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run_hook(&hook, "present", "a.test", "value")).unwrap();
        let error = runtime.block_on(run_hook(&hook, "cleanup", "a.test", "value")).unwrap_err();
        assert!(error.to_string().contains("cleanup"), "{error}");
        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.lines().next(), Some("present a.test _acme-challenge.a.test value"));
        assert_eq!(log.lines().count(), 2);
    }
}
