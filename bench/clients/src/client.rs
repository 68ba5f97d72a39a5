//! A connection of one client, cleartext or TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A server that says nothing for so long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// A byte stream.
pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Connects.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address).context("connect")?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    socket.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(socket)
}

/// TLS as a client that trusts this authority, offers one protocol at most, and resumes nothing.
pub(crate) fn tls(authority: &Path, alpn: Option<&[u8]>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).context("read the authority")?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
    Ok(Arc::new(config))
}

/// A connection whose handshake for `name` is over, and verified.
pub(crate) fn shake_hands(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut socket = connect(address)?;
    let name = ServerName::try_from(name.to_owned()).context("read the name")?;
    let mut session = ClientConnection::new(Arc::clone(config), name)?;
    while session.is_handshaking() {
        session.complete_io(&mut socket).context("shake hands")?;
    }
    Ok(StreamOwned::new(session, socket))
}
