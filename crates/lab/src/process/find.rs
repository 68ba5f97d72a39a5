//! Processes by what people call them. What is found is a number with its start time: only this process is
//! meant from then on.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bulkhead_chaos::{ProcessName, Target};

use super::Stat;

/// Bytes of a file that holds a number.
const PID_FILE_BYTES_MAX: u64 = 64;
/// Numbers that are told if a name fits several.
const TOLD_MAX: usize = 8;
/// `TCP_LISTEN` in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// The one process that this names.
///
/// # Errors
/// There is none, or more than one; for people.
pub(crate) fn find(name: &ProcessName) -> Result<Target, String> {
    name.check()?;
    let sockets = name.port.map(listening);
    let fits = |pid: u32| fitting(pid, name, sockets.as_ref());
    let found: Vec<(u32, u64)> = match number(name)? {
        Some(pid) => fits(pid).into_iter().map(|start_time| (pid, start_time)).collect(),
        None => all()?.into_iter().filter_map(|pid| Some((pid, fits(pid)?))).collect(),
    };
    match found[..] {
        [(pid, start_time)] => Ok(Target::Process { pid, start_time }),
        [] => Err(format!("there is no process with {}", told(name))),
        _ => {
            let pids: Vec<String> =
                found.iter().take(TOLD_MAX).map(|(pid, _)| pid.to_string()).collect();
            Err(format!(
                "{} processes have {}: {}; say more of the one that is meant",
                found.len(),
                told(name),
                pids.join(", ")
            ))
        }
    }
}

fn told(name: &ProcessName) -> String {
    let parts = [
        name.pid.map(|pid| format!("pid {pid}")),
        name.start_time.map(|time| format!("start time {time}")),
        name.pid_file.as_ref().map(|file| format!("the number in {}", file.display())),
        name.command.as_ref().map(|command| format!("command `{command}`")),
        name.port.map(|port| format!("a listening socket on port {port} that may be looked at")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Its number, if it is given in any way.
fn number(name: &ProcessName) -> Result<Option<u32>, String> {
    let Some(file) = &name.pid_file else { return Ok(name.pid) };
    let what = file.display();
    let text = read(file).map_err(|error| format!("read {what}: {error}"))?;
    let number = text.trim().parse::<u32>().ok();
    let number = number.ok_or_else(|| format!("{what} holds no number of a process"))?;
    if name.pid.is_some_and(|pid| pid != number) {
        return Err(format!("{what} holds {number}"));
    }
    Ok(Some(number))
}

/// The begin of a file. Whatever else may have this name is not waited for.
fn read(file: &Path) -> io::Result<String> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    fs::File::open(file)?.take(PID_FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn all() -> Result<Vec<u32>, String> {
    let entries = fs::read_dir("/proc").map_err(|error| format!("read /proc: {error}"))?;
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    // The lab itself may well run the same program.
    let own = std::process::id();
    Ok(entries.flatten().filter_map(number).filter(|pid| *pid != own).collect())
}

/// Its start time, if all fits and it is the same process before and after it was looked at.
fn fitting(pid: u32, name: &ProcessName, sockets: Option<&HashSet<String>>) -> Option<u64> {
    let before = Stat::read(pid).ok().filter(|stat| !stat.is_dead())?;
    let fits = name.start_time.is_none_or(|time| time == before.start_time)
        && name.command.as_ref().is_none_or(|command| is_called(pid, &before, command))
        && sockets.is_none_or(|sockets| holds_any(pid, sockets));
    let same = Stat::read(pid).ok()?.start_time == before.start_time;
    (fits && same).then_some(before.start_time)
}

fn is_called(pid: u32, stat: &Stat, command: &str) -> bool {
    let is_it = |path: &Path| path.file_name() == Some(OsStr::new(command));
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
    stat.command == command
        || program.is_ok_and(|program| is_it(&program))
        || is_it(Path::new(OsStr::from_bytes(first)))
}

/// Links of the sockets that listen on a port, as they stand in `/proc/PID/fd`.
fn listening(port: u16) -> HashSet<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    lines.filter_map(|line| socket(line, port)).collect()
}

/// The socket of a line: number, local address, remote address, state, …; its inode is field 10.
fn socket(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let fits = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&LISTENS);
    fits.then(|| Some(format!("socket:[{}]", fields.get(9)?)))?
}

fn holds_any(pid: u32, sockets: &HashSet<String>) -> bool {
    // Of others' processes it may not be looked at.
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_of_sockets() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  \
                    1000        0 4711 1 0000000000000000 100 0 0 10 0";
        assert_eq!(socket(line, 8_080).as_deref(), Some("socket:[4711]"));
        assert_eq!(socket(line, 8_081), None);
        assert_eq!(socket(&line.replace(" 0A ", " 01 "), 8_080), None, "it is connected");
        for cut in 0..line.len() {
            let _never_panics = socket(&line[..cut], 8_080);
        }
    }
}
