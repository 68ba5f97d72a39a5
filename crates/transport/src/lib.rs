//! Byte channels for a readiness loop: listeners, TCP, Unix sockets, TLS, socket options.
//!
//! Everything here is non-blocking and is driven by the events of a [`mio::Poll`] that the caller
//! owns. A [`Channel`] is plain data and a descriptor: it may be deregistered from one thread's poll
//! and registered with another's in the middle of a handshake or a transfer, which is what
//! evacuation rests on. This crate never blocks, never reads a clock, starts no thread, knows no HTTP
//! and is the only home of `unsafe` (`src/sys/`).

mod channel;
mod inherited;
mod listener;
mod sys;
mod tls;
mod unix;

pub use channel::{Channel, ConnectOptions, ReadOutcome, TlsInfo, TlsTarget};
pub use inherited::{ACTIVATION_SOCKETS_MAX, ActivationEnvironment, activation_sockets};
pub use listener::{BindError, Listener, ListenerOptions};
/// TLS configurations that [`Channel`] takes, and the name of an endpoint as TLS checks it.
pub use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
/// What the chaos lab makes its networks of.
pub use sys::{
    BpfValue, attach_bpf_ingress, attach_tun, bpf_ingress_filters, bpf_values_of,
    end_process_after, end_with_thread, load_bpf_filter, open_packet_socket, packet_socket_drops,
    run_in_real_time, send_packet, start_in_network, start_in_user_namespace, turn_offload_off,
    unshare_network,
};
pub use tls::{
    ACME_TLS_ALPN, AlpnChallenges, Certificate, CertificateError, CertificateExpiry,
    CertificatePem, ClientAuth, ClientAuthOptions, ClientTls, ClientTlsOptions, Expired,
    KeyLogFile, NameMatch, PeerIdentity, ServerTls, ServerTlsOptions, ShownCertificate, Staple,
    StapleError, Ticketer, TlsError, TlsPolicy, TlsVersion,
};
