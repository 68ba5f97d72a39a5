//! Sockets that the process was started with: systemd's socket activation (`sd_listen_fds(3)`).

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use crate::sys;

/// Number of the first descriptor that is passed (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// Most descriptors that are taken.
pub const ACTIVATION_SOCKETS_MAX: usize = 1024;

/// What the environment says about passed sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivationEnvironment<'a> {
    /// `LISTEN_PID`: for whom they are.
    pub pid: Option<&'a str>,
    /// `LISTEN_FDS`: how many.
    pub count: Option<&'a str>,
    /// `LISTEN_FDNAMES`: their names, separated by colons; those without one are `unknown`.
    pub names: Option<&'a str>,
}

/// The passed sockets and their names, once: they are closed for programs that this process starts. None if the
/// environment speaks of another process.
///
/// # Errors
/// When a number that the environment names is not open, or the environment is no number.
pub fn activation_sockets(
    environment: ActivationEnvironment<'_>,
    own_pid: u32,
) -> io::Result<Vec<(String, OwnedFd)>> {
    let (Some(pid), Some(count)) = (environment.pid, environment.count) else {
        return Ok(Vec::new());
    };
    if pid != own_pid.to_string() {
        return Ok(Vec::new());
    }
    let count = count.parse().ok().filter(|count| *count <= ACTIVATION_SOCKETS_MAX);
    let Some(count) = count else {
        let what = format!("LISTEN_FDS must be a number up to {ACTIVATION_SOCKETS_MAX}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    };
    let mut names = environment.names.unwrap_or_default().split(':');
    (FIRST..)
        .take(count)
        .map(|number| {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
            Ok((name.to_owned(), sys::take_inherited(number)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_and_nonsense_get_nothing() {
        let environment =
            ActivationEnvironment { pid: Some("7"), count: Some("1"), names: Some("web") };
        assert!(activation_sockets(environment, 8).unwrap().is_empty());
        assert!(activation_sockets(ActivationEnvironment::default(), 7).unwrap().is_empty());
        for count in ["many", "-1", "1025"] {
            let environment = ActivationEnvironment { count: Some(count), ..environment };
            let error = activation_sockets(environment, 7).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{count}");
        }
        let none = ActivationEnvironment { count: Some("0"), ..environment };
        assert!(activation_sockets(none, 7).unwrap().is_empty());
    }
}
