//! What is told of a client's TLS session: to upstreams in `x-forwarded-client-cert`, and to the
//! access log.

use std::sync::Arc;

use bulkhead_message::{Known, TlsRecord};
use bulkhead_transport::{Channel, PeerIdentity};

use crate::exchange_state::Exchange;

/// Facts of a session, gathered once, when its handshake is over.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    version: &'static str,
    cipher: &'static str,
    server_name: String,
    identity: Option<PeerIdentity>,
    /// The access log tells of it.
    logged: bool,
}

impl TlsFacts {
    /// Of a connection whose handshake is over; `None` if nobody is to be told anything.
    pub(crate) fn of(channel: &Channel, logged: bool) -> Option<Arc<Self>> {
        let info = channel.tls_info()?;
        let identity = channel.peer_identity();
        if identity.is_none() && !logged {
            return None;
        }
        Some(Arc::new(Self {
            version: info.version.unwrap_or(""),
            cipher: info.cipher.unwrap_or(""),
            server_name: info.server_name.unwrap_or("").to_owned(),
            identity,
            logged,
        }))
    }

    /// For the access log.
    pub(crate) fn record(&self) -> Option<TlsRecord<'_>> {
        let identity = self.identity.as_ref();
        self.logged.then(|| TlsRecord {
            version: self.version,
            cipher: self.cipher,
            server_name: &self.server_name,
            client_subject: identity.map_or("", |it| &it.subject),
            client_spiffe_id: identity.and_then(|it| it.spiffe_id.as_deref()).unwrap_or(""),
            client_fingerprint: identity.map_or("", |it| &it.fingerprint),
        })
    }
}

impl Exchange {
    /// Says in the request who the client is, as its certificate has it. What the client itself says
    /// of that is never believed, not even while the request is routed.
    pub(crate) fn identify(&mut self, tls: Option<&Arc<TlsFacts>>) {
        let fields = &mut self.request.fields;
        fields.remove(Known::XForwardedClientCert);
        let Some(tls) = tls else { return };
        if let Some(identity) = &tls.identity {
            fields.push_known(Known::XForwardedClientCert, identity.forwarded.as_bytes());
        }
        self.tls = tls.logged.then(|| tls.clone());
    }
}
