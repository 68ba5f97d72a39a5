//! How the binary tells that it could not do what it was asked, and what to do next.

use std::io::{self, Write};

/// Exit status when a command could not be carried out at all.
pub(crate) const EXIT_COULD_NOT_RUN: u8 = 2;

/// Whether whoever reads our output has gone away.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes the error with its causes, and a next step where one is known.
pub(crate) fn report(error: &anyhow::Error) {
    let mut text = format!("error: {}\n", chain(error));
    if let Some(step) = next_step(error) {
        text.push_str(&format!("  = help: {step}\n"));
    }
    // If standard error is gone there is nobody to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The error and its causes in one line. A cause that an error has already told is left out.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn next_step(error: &anyhow::Error) -> Option<&'static str> {
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?.kind();
    match kind {
        io::ErrorKind::AddrInUse => {
            Some("another process listens there; `ss -ltnp` shows which, or choose another port")
        }
        io::ErrorKind::AddrNotAvailable => {
            Some("this machine does not have that address; `ip address` shows which it has")
        }
        io::ErrorKind::PermissionDenied => Some(
            "check who may read the file; ports below 1024 need the capability \
             CAP_NET_BIND_SERVICE, or choose a higher one",
        ),
        io::ErrorKind::NotFound => Some(
            "check the path: one of the command line starts at the current directory, one in a \
                 file at the directory of that file",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
