//! Unix sockets: names as the kernel takes them, and the file that a listening one leaves behind.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bulkhead_message::UnixName;
use socket2::SockAddr;

/// The name as socket calls take it.
pub(crate) fn socket_address(name: &UnixName) -> io::Result<SockAddr> {
    match name.abstract_name() {
        // The kernel knows an abstract name by its first byte, which is 0.
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(name.path().unwrap_or_default()),
    }
}

/// The file of a listening socket. It is removed when this is dropped, unless another has taken its
/// place meanwhile.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// It is somebody else's now.
    left: AtomicBool,
}

impl SocketFile {
    /// The file that `bind` has just made, with these permissions; `None`: as the umask has it.
    pub(crate) fn made(path: &str, mode: Option<u32>) -> io::Result<Self> {
        let path = PathBuf::from(path);
        if let Some(mode) = mode {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        let facts = fs::symlink_metadata(&path)?;
        Ok(Self { device: facts.dev(), inode: facts.ino(), path, left: AtomicBool::new(false) })
    }

    /// From now on it stays.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if *self.left.get_mut() {
            return;
        }
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|facts| (facts.dev(), facts.ino()) == (self.device, self.inode));
        if ours {
            // Whoever starts next replaces it.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket file of a process that is no more.
///
/// # Errors
/// `AddrInUse`: somebody listens there, or the file is no socket.
pub(crate) fn remove_dead_file(path: &str) -> io::Result<()> {
    let path = Path::new(path);
    match fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(cause),
        Ok(facts) if !facts.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        // Alive, with a full queue; or not for us.
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::AddrInUse.into())
        }
        Err(cause) => Err(cause),
    }
}

/// The name of a bound socket.
pub(crate) fn name_of(address: &SocketAddr) -> Option<UnixName> {
    let text = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => path.to_str()?.to_owned(),
        (None, Some(name)) => format!("@{}", std::str::from_utf8(name).ok()?),
        (None, None) => return None,
    };
    UnixName::parse(&text).ok()
}
