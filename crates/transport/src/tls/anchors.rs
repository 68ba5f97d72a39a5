//! Trust anchors and revocation lists from PEM text.

use rustls::RootCertStore;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::certificate;
use super::error::TlsError;

/// The anchors in `ca_pem`, or the public web's without it.
pub(super) fn anchors(ca_pem: Option<&[u8]>) -> Result<RootCertStore, TlsError> {
    let Some(pem) = ca_pem else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let unusable = |reason: String| TlsError::TrustAnchors { reason };
    let certificates = certificate::chain(pem).map_err(unusable)?;
    if certificates.is_empty() {
        return Err(unusable("no certificate found".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|cause| unusable(cause.to_string()))?;
    }
    Ok(roots)
}

/// The revocation lists in `pem`; never none.
pub(super) fn revocation_lists(
    pem: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let unusable = |reason: String| TlsError::RevocationList { reason };
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|cause| unusable(cause.to_string()))?;
    if lists.is_empty() {
        return Err(unusable("no list found".to_owned()));
    }
    Ok(lists)
}
