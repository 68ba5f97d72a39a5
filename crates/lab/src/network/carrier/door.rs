//! The socket at which labs without rights over networks meet one who has them.
//!
//! Whoever listens there does nothing but ask the kernel who has come, and start a process for each lab whose
//! standard input is the connection. That process holds the carriers of this lab, ends with the connection, and
//! is ended by the kernel when the one that listens ends.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::holder::CarrierPlace;
use crate::GuardianCommand;
use crate::network::held::{Made, line};

/// Labs for which carriers are held at a time.
pub const CARRIER_LABS_MAX: usize = 16;
/// How often it is looked whether to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long somebody who is turned away may take to hear why.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(100);
const ROOT: u32 = 0;
const SIGKILL: i32 = 9;

/// A Unix socket, of which only root, the user who opened it and one more may ask. It is removed at the end.
#[derive(Debug)]
pub struct CarrierDoor {
    listener: UnixListener,
    path: PathBuf,
    /// Who may ask.
    users: Vec<u32>,
}

impl CarrierDoor {
    /// Listens at `path`, for `user` too. A socket at which nobody listens any more is replaced.
    ///
    /// # Errors
    /// `AddrInUse`: somebody listens there; or it cannot be made, or not be given to the user.
    pub fn open(path: &Path, user: Option<u32>) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
            match UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path)?;
                }
                // One of another kind, or of whom we may not ask, is not ours to remove either.
                Ok(_) | Err(_) => return Err(io::ErrorKind::AddrInUse.into()),
            }
        }
        let listener = UnixListener::bind(path)?;
        let own = rustix::process::geteuid().as_raw();
        let mut users = vec![ROOT, own];
        users.extend(user);
        let door = Self { listener, path: path.to_owned(), users };
        let (_held, file) = file_of(path)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        if let Some(user) = user.filter(|user| *user != own) {
            chown(&file, Some(user), None)?;
        }
        door.listener.set_nonblocking(true)?;
        Ok(door)
    }

    /// Starts a process for each lab that comes, until it `is_over`. They end with their labs, and are ended
    /// with this process. `command` starts one that calls [`hold_carriers`](crate::hold_carriers).
    ///
    /// # Errors
    /// The socket fails.
    pub fn serve(&self, command: &GuardianCommand, is_over: impl Fn() -> bool) -> io::Result<()> {
        // One count for each lab, and one that is ours.
        let labs = Arc::new(());
        while !is_over() {
            let Some(lab) = self.next()? else { continue };
            match self.admit(&lab, Arc::strong_count(&labs) - 1) {
                Ok(()) => {
                    let (command, one) = (command.clone(), Arc::clone(&labs));
                    let hold = move || {
                        hold(&command, lab);
                        drop(one);
                    };
                    // Where no thread is to be had its lab sees the end of the connection, and no other does.
                    let _ = thread::Builder::new().name("carrier-lab".to_owned()).spawn(hold);
                }
                Err(why) => refuse(&lab, why),
            }
        }
        Ok(())
    }

    /// The next who comes; nobody for a while.
    fn next(&self) -> io::Result<Option<UnixStream>> {
        let timeout = Timespec::try_from(LOOK_INTERVAL).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match self.listener.accept() {
            Ok((lab, _)) => Ok(Some(lab)),
            // It has left already, or descriptors run out for a while: no reason to end what is held.
            Err(_) => {
                thread::sleep(LOOK_INTERVAL);
                Ok(None)
            }
        }
    }

    /// Whether a lab may ask, by who the kernel says that it was when it connected.
    fn admit(&self, lab: &UnixStream, labs: usize) -> Result<(), String> {
        let peer = rustix::net::sockopt::socket_peercred(lab)
            .map_err(|error| format!("the kernel does not say who has come: {error}"))?;
        let user = peer.uid.as_raw();
        if !self.users.contains(&user) {
            return Err(format!(
                "user {user} may not ask for carriers; start `bulkhead chaos hold-carriers` with `--user {user}`"
            ));
        }
        if labs >= CARRIER_LABS_MAX {
            return Err(format!("carriers are held for {CARRIER_LABS_MAX} labs already; end one"));
        }
        Ok(())
    }
}

impl Drop for CarrierDoor {
    fn drop(&mut self) {
        // Whoever opens it next would remove it too.
        let _ = fs::remove_file(&self.path);
    }
}

/// The socket's file itself, and its path as long as that is held: whoever may write the directory could have
/// put a link to another file in its place meanwhile.
fn file_of(path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::open(path, flags, Mode::empty())?;
    let file = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    match fs::metadata(&file)?.file_type().is_socket() {
        true => Ok((held, file)),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn refuse(mut lab: &UnixStream, why: String) {
    let told = line(&Made::<CarrierPlace>::Err(why)).and_then(|line| {
        lab.set_write_timeout(Some(REFUSAL_TIMEOUT))?;
        lab.write_all(&line)
    });
    // Whoever does not listen need not know.
    let _ = told;
}

/// Starts the process of a lab and waits for its end: it ends when this thread does.
fn hold(command: &GuardianCommand, lab: UnixStream) {
    let mut holder = Command::new(&command.program);
    holder
        .args(&command.arguments)
        .stdin(OwnedFd::from(lab))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    bulkhead_transport::end_with_thread(&mut holder, SIGKILL);
    if let Ok(mut child) = holder.spawn() {
        // The command holds the connection too, whose end the lab is to see.
        drop(holder);
        let _ = child.wait();
    }
}
