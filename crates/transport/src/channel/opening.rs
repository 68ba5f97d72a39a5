//! What is looked at before it is known what a connection speaks: its first bytes are left where
//! they are, in the kernel, so that whoever reads next finds them.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Channel, Layer, ReadOutcome, TlsTarget, read_socket};
use crate::channel::tls_stream::TlsStream;

impl Channel {
    /// Copies what waits in a cleartext channel, from its beginning, without taking it.
    ///
    /// # Errors
    /// The connection is unusable, or not in cleartext.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        if self.is_tls() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        loop {
            return match self.socket.peek(buffer) {
                Ok(0) if !buffer.is_empty() => Ok(ReadOutcome::Closed),
                Ok(count) => Ok(ReadOutcome::Bytes(count)),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                    Ok(ReadOutcome::WouldBlock)
                }
                Err(cause) => Err(cause),
            };
        }
    }

    /// Takes bytes that [`Channel::peek`] has shown, and forgets them.
    ///
    /// # Errors
    /// The connection is unusable, or has fewer.
    pub fn skip(&mut self, count: usize) -> io::Result<()> {
        let mut rest = count;
        let mut taken = [0; 512];
        while rest > 0 {
            let wanted = rest.min(taken.len());
            let buffer = taken.get_mut(..wanted).unwrap_or_default();
            match read_socket(&self.socket, buffer)? {
                ReadOutcome::Bytes(count) => rest -= count,
                ReadOutcome::WouldBlock | ReadOutcome::Closed => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }

    /// From here on the client begins with a TLS handshake.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn start_tls_server(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        self.layer = Layer::Tls(Box::new(TlsStream::server(config)?));
        Ok(())
    }

    /// From here on we begin a TLS handshake; what was written before is in front of it.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn start_tls_client(&mut self, target: &TlsTarget) -> io::Result<()> {
        self.layer = Layer::Tls(Box::new(TlsStream::client(target)?));
        Ok(())
    }
}
