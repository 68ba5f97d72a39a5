//! Why a handshake failed, in few words that are fixed: for metrics.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// The reason, in `snake_case`. `alert_…`: the peer did not want us.
pub(crate) const fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => "not_tls",
        Error::NoCertificatesPresented => "certificate_required",
        Error::NoApplicationProtocol => "no_application_protocol",
        Error::InvalidCertificate(cause) => certificate(cause),
        Error::PeerIncompatible(cause) => incompatible(cause),
        Error::AlertReceived(alert) => received(*alert),
        Error::DecryptError => "decrypt_error",
        Error::General(_) => "no_certificate",
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => "protocol_violation",
        _ => "other",
    }
}

const fn certificate(cause: &CertificateError) -> &'static str {
    match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate_expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate_not_valid_yet"
        }
        CertificateError::Revoked => "certificate_revoked",
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => "revocation_unknown",
        CertificateError::UnknownIssuer => "certificate_unknown_issuer",
        CertificateError::ApplicationVerificationFailure
        | CertificateError::NotValidForName
        | CertificateError::NotValidForNameContext { .. } => "certificate_name_refused",
        CertificateError::BadSignature => "certificate_bad_signature",
        _ => "certificate_invalid",
    }
}

const fn incompatible(cause: &PeerIncompatible) -> &'static str {
    match cause {
        PeerIncompatible::NoCipherSuitesInCommon => "no_shared_cipher",
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            "no_shared_group"
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "no_shared_signature_scheme"
        }
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::ServerDoesNotSupportTls12Or13 => "unsupported_version",
        _ => "incompatible",
    }
}

const fn received(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "alert_unknown_ca",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => "alert_bad_certificate",
        AlertDescription::CertificateExpired => "alert_certificate_expired",
        AlertDescription::CertificateRevoked => "alert_certificate_revoked",
        AlertDescription::HandshakeFailure => "alert_handshake_failure",
        AlertDescription::ProtocolVersion => "alert_protocol_version",
        _ => "alert_other",
    }
}
