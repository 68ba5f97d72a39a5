//! A client that sends exactly the bytes it is told, for tests of bad input and of framing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes that are read at most before a test is taken to have gone wrong.
pub const RAW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A TCP connection with a deadline for everything that is done on it.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    deadline: Instant,
    /// Read, but not asked for yet.
    pending: Vec<u8>,
}

impl RawClient {
    /// Connects. From now on the test has `patience` for all that follows.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn connect(address: SocketAddr, patience: Duration) -> Self {
        let stream = TcpStream::connect_timeout(&address, patience)
            .unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        Self::over(stream, patience)
    }

    /// Over a connection that is up already: the side that accepted it can be played as well.
    ///
    /// # Panics
    /// If the socket is unusable.
    pub fn over(stream: TcpStream, patience: Duration) -> Self {
        stream.set_nodelay(true).expect("a TCP socket has this option");
        Self { stream, deadline: Instant::now() + patience, pending: Vec::new() }
    }

    /// Whether nothing has come yet, without waiting.
    ///
    /// # Panics
    /// If the socket is unusable.
    pub fn is_silent(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a TCP socket has this option");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a TCP socket has this option");
        self.pending.is_empty()
            && matches!(peeked, Err(cause) if cause.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends all bytes.
    ///
    /// # Panics
    /// If the connection is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("send: {error}"));
    }

    /// Sends all bytes, or tells that the peer has closed.
    ///
    /// # Errors
    /// As the socket gives them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.remaining()))?;
        self.stream.write_all(bytes.as_ref())
    }

    /// Ends our side; the peer may still send.
    pub fn finish(&mut self) {
        // The peer may have closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Everything up to and with `marker`.
    ///
    /// # Panics
    /// If the connection ends or the deadline passes before; the message shows what came.
    #[track_caller]
    pub fn read_until(&mut self, marker: &[u8]) -> Vec<u8> {
        loop {
            let found = self.pending.windows(marker.len()).position(|window| window == marker);
            if let Some(at) = found {
                return self.pending.drain(..at + marker.len()).collect();
            }
            let came = self.fill();
            assert!(
                matches!(came, Ok(count) if count > 0),
                "waiting for {:?}: {came:?} after {:?}",
                String::from_utf8_lossy(marker),
                String::from_utf8_lossy(&self.pending)
            );
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Panics
    /// As [`RawClient::read_until`].
    #[track_caller]
    pub fn read_exact(&mut self, count: usize) -> Vec<u8> {
        while self.pending.len() < count {
            let came = self.fill();
            assert!(
                matches!(came, Ok(count) if count > 0),
                "waiting for {count} bytes: {came:?} after {:?}",
                String::from_utf8_lossy(&self.pending)
            );
        }
        self.pending.drain(..count).collect()
    }

    /// Everything until the peer closes. A reset counts as closing.
    ///
    /// # Panics
    /// If the deadline passes before; the message shows what came.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(0) => return std::mem::take(&mut self.pending),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return std::mem::take(&mut self.pending);
                }
                Err(error) => panic!(
                    "waiting for the end: {error} after {:?}",
                    String::from_utf8_lossy(&self.pending)
                ),
            }
        }
    }

    /// Waits until something comes, which can then be read, or the peer closes. True: it has closed.
    ///
    /// # Panics
    /// If the deadline passes before.
    #[track_caller]
    pub fn is_over(&mut self) -> bool {
        if !self.pending.is_empty() {
            return false;
        }
        match self.fill() {
            Ok(count) => count == 0,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(error) => panic!("waiting for anything: {error}"),
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        assert!(self.pending.len() < RAW_BYTES_MAX, "more than {RAW_BYTES_MAX} bytes came");
        self.stream.set_read_timeout(Some(self.remaining()))?;
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        self.pending.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// Time that is left; never zero, which would mean no time-out at all.
    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests;
