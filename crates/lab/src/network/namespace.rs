//! A network namespace that lasts as long as this value, or a thread or socket in it.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{NetworkError, interface};

const OWN: &str = "/proc/thread-self/ns/net";
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// A network namespace, held by a descriptor. It has no name and no mount, so nothing of it can be left
/// behind.
#[derive(Debug)]
pub struct Namespace {
    descriptor: File,
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Namespace {
    /// A new one, with nothing in it but a loopback interface that is up.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN`; `ENOSPC` when there are too many.
    pub fn new() -> Result<Self, NetworkError> {
        // A thread of its own, so that the caller stays where it is.
        on_thread(|| {
            bulkhead_transport::unshare_network()
                .map_err(NetworkError::at("make a network namespace"))?;
            interface::up_loopback().map_err(NetworkError::at("bring its loopback up"))?;
            Self::current()
        })
    }

    /// The one in which the calling thread is.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current() -> Result<Self, NetworkError> {
        let descriptor = File::open(OWN).map_err(NetworkError::at("open the own namespace"))?;
        Ok(Self { descriptor })
    }

    /// The one that a file stands for: `/run/netns/blue`, `/proc/4711/ns/net`.
    ///
    /// # Errors
    /// There is no such file, or it may not be opened. Whether it is a network namespace shows when it
    /// is entered.
    pub fn open(path: &Path) -> Result<Self, NetworkError> {
        let descriptor = File::open(path)
            .map_err(NetworkError::at(format!("open the namespace `{}`", path.display())))?;
        Ok(Self { descriptor })
    }

    /// Where other processes find it, as long as this value is held.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.descriptor.as_raw_fd()).into()
    }

    /// What tells it from all others that exist: numbers of device and inode.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn identity(&self) -> Result<(u64, u64), NetworkError> {
        let stat = rustix::fs::fstat(&self.descriptor)
            .map_err(NetworkError::errno("look at a network namespace"))?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Runs `work` on a thread in the namespace. Sockets that it makes stay there wherever they are
    /// used, and threads and processes that it starts are born there. The thread ends with the call, and
    /// with it children that asked to die with their parent (`PR_SET_PDEATHSIG` means the thread).
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN`.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
        on_thread(|| {
            self.stay()?;
            Ok(work())
        })
    }

    /// Moves the calling thread into the namespace for good.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN`.
    pub(super) fn stay(&self) -> Result<(), NetworkError> {
        move_into_link_name_space(self.descriptor.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(NetworkError::errno("enter a network namespace"))
    }

    /// Lets the process that `command` starts be born in the namespace. The thread that starts it stays
    /// where it is, so that the child may be bound to its life.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn start_in(&self, command: &mut Command) -> Result<(), NetworkError> {
        let descriptor = self.descriptor.try_clone();
        let descriptor = descriptor.map_err(NetworkError::at("hold a network namespace"))?;
        bulkhead_transport::start_in_network(command, descriptor.into());
        Ok(())
    }

    /// The congestion control that TCP sockets in it begin with.
    ///
    /// # Errors
    /// It cannot be entered or has no TCP.
    pub fn congestion_control(&self) -> Result<String, NetworkError> {
        self.enter(|| fs::read_to_string(CONGESTION_CONTROL))?
            .map(|text| text.trim_end().to_owned())
            .map_err(NetworkError::at("read the congestion control"))
    }
}

fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}
