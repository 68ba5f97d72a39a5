//! Where a stream socket is: IP address and port, or a Unix socket. One type wherever both may stand.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// Longest name of a Unix socket, in bytes: what `sockaddr_un` holds, less its final NUL (unix(7)).
pub const UNIX_NAME_BYTES_MAX: usize = 107;

/// What the text of a Unix socket's address begins with.
pub const UNIX_PREFIX: &str = "unix:";

/// An address of a stream socket.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// IP address and port.
    Inet(SocketAddr),
    /// A Unix socket on this machine.
    Unix(UnixName),
}

/// Name of a Unix socket: an absolute path, or a name of the abstract namespace. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixName(Arc<str>);

/// Why a text is not the name of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixNameError {
    /// There is nothing behind the prefix, or behind the `@`.
    Empty,
    /// It is neither a path that starts with `/`, nor a name that starts with `@`.
    Relative,
    /// It has more than [`UNIX_NAME_BYTES_MAX`] bytes.
    TooLong,
    /// It has a NUL byte.
    Nul,
}

impl fmt::Display for UnixNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name of the Unix socket is empty",
            Self::Relative => "a Unix socket is named by a path from `/`, or by `@` and a name",
            Self::TooLong => "the name of a Unix socket has at most 107 bytes",
            Self::Nul => "the name of a Unix socket has no NUL byte",
        })
    }
}

impl std::error::Error for UnixNameError {}

impl UnixName {
    /// Reads `/path`, or `@name` for the abstract namespace.
    ///
    /// # Errors
    /// When the kernel would not take it, or where it leads would depend on the working directory.
    pub fn parse(text: &str) -> Result<Self, UnixNameError> {
        match text.as_bytes() {
            [] | [b'@'] => Err(UnixNameError::Empty),
            bytes if bytes.contains(&0) => Err(UnixNameError::Nul),
            bytes if bytes.len() > UNIX_NAME_BYTES_MAX => Err(UnixNameError::TooLong),
            [b'/' | b'@', ..] => Ok(Self(text.into())),
            _ => Err(UnixNameError::Relative),
        }
    }

    /// The path; `None`: the name is abstract.
    pub fn path(&self) -> Option<&str> {
        self.abstract_name().is_none().then_some(&self.0)
    }

    /// The name in the abstract namespace, without its `@`; `None`: it is a path.
    pub fn abstract_name(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{UNIX_PREFIX}{}", self.0)
    }
}

impl Address {
    /// IP address and port; `None`: a Unix socket.
    pub const fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Name of the Unix socket; `None`: it is none.
    pub const fn unix(&self) -> Option<&UnixName> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(name) => Some(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(name) => name.fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = UnixNameError;

    /// Reads `10.0.0.1:80`, `[::1]:80`, `unix:/path` or `unix:@name`.
    fn from_str(text: &str) -> Result<Self, UnixNameError> {
        match text.strip_prefix(UNIX_PREFIX) {
            Some(name) => UnixName::parse(name).map(Self::Unix),
            None => text.parse().map(Self::Inet).map_err(|_| UnixNameError::Relative),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Address {
    fn from(pair: (I, u16)) -> Self {
        Self::Inet(pair.into())
    }
}

impl From<UnixName> for Address {
    fn from(name: UnixName) -> Self {
        Self::Unix(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<&str, UnixNameError>) {
        assert_eq!(
            UnixName::parse(text).map(|name| name.to_string()).as_deref(),
            expect.as_deref()
        );
    }

    #[test]
    fn names_are_absolute_and_fit_the_kernel() {
        check("/run/a.sock", Ok("unix:/run/a.sock"));
        check("@a", Ok("unix:@a"));
        check("", Err(UnixNameError::Empty));
        check("@", Err(UnixNameError::Empty));
        check("a.sock", Err(UnixNameError::Relative));
        check("/a\0b", Err(UnixNameError::Nul));
        check(&format!("/{}", "a".repeat(106)), Ok(&format!("unix:/{}", "a".repeat(106))));
        check(&format!("/{}", "a".repeat(107)), Err(UnixNameError::TooLong));
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["10.0.0.1:80", "[::1]:443", "unix:/run/a.sock", "unix:@a"] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()).as_deref(),
                Ok(text)
            );
        }
        let abstract_name = UnixName::parse("@a").ok();
        let name = abstract_name.as_ref();
        assert_eq!(name.and_then(UnixName::abstract_name), Some("a"));
        assert_eq!(name.and_then(UnixName::path), None);
    }
}
