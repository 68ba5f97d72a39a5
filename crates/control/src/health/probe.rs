//! One check over the network: a connection, TLS if the cluster has it, a question, its answer.

use bulkhead_codec::proxy_protocol::{self, ProxyVersion};
use bulkhead_config::model::{HealthProbe, Protocol, ProxyProtocolVersion};
use bulkhead_message::{Address, UnixName};
use bulkhead_transport::TlsTarget;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::conversation::Conversation;
use super::target::{Target, Tls};

/// Bytes read at a time.
const READ_BYTES: usize = 4 * 1024;

/// Checks an endpoint once. Takes as long as the endpoint does: the caller bounds it.
///
/// # Errors
/// Why the check did not pass.
pub(super) async fn probe(target: &Target, tls: Tls) -> Result<(), String> {
    let address = target.address();
    let tls = tls.target(&address)?;
    let refused = |error| format!("connect: {error}");
    match address {
        Address::Inet(address) => {
            let socket = TcpStream::connect(address).await.map_err(refused)?;
            // Without it a question in two pieces may wait for an acknowledgement.
            let _ = socket.set_nodelay(true);
            speak(target, tls, socket).await
        }
        Address::Unix(name) => {
            let socket = UnixStream::connect(path(&name)).await.map_err(refused)?;
            speak(target, tls, socket).await
        }
    }
}

/// A name as the runtime takes it: an abstract one begins with a NUL.
fn path(name: &UnixName) -> String {
    match name.abstract_name() {
        Some(name) => format!("\0{name}"),
        None => name.path().unwrap_or_default().to_owned(),
    }
}

async fn speak(
    target: &Target,
    tls: Option<TlsTarget>,
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), String> {
    if let Some(version) = target.proxy_protocol {
        socket.write_all(&header(version)).await.map_err(|error| format!("write: {error}"))?;
    }
    let Some(tls) = tls else { return ask(target, socket).await };
    let connecting = TlsConnector::from(tls.config).connect(tls.server_name, socket);
    let stream = connecting.await.map_err(|error| format!("TLS handshake: {error}"))?;
    let alpn = stream.get_ref().1.alpn_protocol();
    if target.protocol == Protocol::Http2 && alpn != Some(b"h2") {
        return Err("the endpoint does not offer HTTP/2".to_owned());
    }
    ask(target, stream).await
}

/// The PROXY header of a connection that is made for nobody.
fn header(version: ProxyProtocolVersion) -> Vec<u8> {
    let version = match version {
        ProxyProtocolVersion::V1 => ProxyVersion::V1,
        ProxyProtocolVersion::V2 => ProxyVersion::V2,
    };
    let mut out = Vec::new();
    proxy_protocol::encode(version, None, &mut out);
    out
}

async fn ask(
    target: &Target,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), String> {
    if target.check.probe == HealthProbe::Tcp {
        return Ok(());
    }
    let mut conversation = Conversation::begin(target)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let out = conversation.take_output();
        stream.write_all(&out).await.map_err(|error| format!("write: {error}"))?;
        stream.flush().await.map_err(|error| format!("write: {error}"))?;
        let length = stream.read(&mut buffer).await.map_err(|error| format!("read: {error}"))?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(verdict) = conversation.hear(bytes) {
            return verdict;
        }
        if length == 0 {
            return Err("the connection ended before the answer was whole".to_owned());
        }
    }
}
