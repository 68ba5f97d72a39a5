//! Control groups, of both versions: which one a process is in, and its memory. See cgroups(7).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bulkhead_chaos::Target;
use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::Refusal;
use crate::process::Stat;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    directory: PathBuf,
    version: u8,
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.directory.display())
    }
}

/// The group of a process for a controller; nothing where the controller is not to be had.
pub(super) fn find(pid: u32, controller: &str) -> io::Result<Option<Group>> {
    let memberships = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    for line in memberships.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let version = if controllers.is_empty() { 2 } else { 1 };
        if version == 1 && !controllers.split(',').any(|it| it == controller) {
            continue;
        }
        let Some(root) = mounted(&mounts, version, controller) else { continue };
        let directory = root.join(path.trim_start_matches('/'));
        // What the path means depends on mounts and namespaces; so the process must be listed there.
        let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        let has = |file: &str| fs::exists(directory.join(file)).unwrap_or(false);
        let to_be_had = version == 1 || controller != "memory" || has("memory.max");
        if to_be_had && members.lines().any(|member| member == pid.to_string()) {
            return Ok(Some(Group { directory, version }));
        }
    }
    Ok(None)
}

/// Where the hierarchy is mounted.
fn mounted(mounts: &str, version: u8, controller: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind, options) = (words.next()?, words.next()?, words.next()?);
        let is_it = match version {
            1 => kind == "cgroup" && options.split(',').any(|option| option == controller),
            _ => kind == "cgroup2",
        };
        is_it.then(|| PathBuf::from(place))
    })
}

/// The group of a process that is a target.
pub(super) fn of_process(pid: u32, start_time: u64, controller: &str) -> Result<Group, Refusal> {
    if !Stat::read(pid).is_ok_and(|stat| stat.start_time == start_time && !stat.is_dead()) {
        return Err(Refusal::new(format!("process {pid} is gone"), "choose one that is alive"));
    }
    let found = find(pid, controller).map_err(|error| {
        Refusal::new(format!("the control group of process {pid}: {error}"), "check /proc")
    })?;
    found.ok_or_else(|| {
        Refusal::new(
            format!("process {pid} is in no control group with the {controller} controller"),
            "mount one, or start the target in one",
        )
    })
}

/// The group in which load for this target is to run, and what to say of it. None for the host, and
/// where it may not be joined.
pub(super) fn to_join(
    target: &Target,
    controller: &str,
) -> Result<(Option<Group>, String), Refusal> {
    let Target::Process { pid, start_time } = *target else {
        super::task::must_be_host(target)?;
        return Ok((None, "in the control group of the lab".to_owned()));
    };
    let group = match of_process(pid, start_time, controller) {
        Ok(group) => group,
        Err(refusal) if refusal.reason.ends_with("is gone") => return Err(refusal),
        Err(refusal) => return Ok((None, format!("beside the target: {}", refusal.reason))),
    };
    if access(group.processes(), Access::WRITE_OK).is_err() {
        return Ok((None, format!("beside the target: {group} may not be joined")));
    }
    let note = format!("in {group}");
    Ok((Some(group), note))
}

impl Group {
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn processes(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// Whether it is the other one or below it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.directory.starts_with(&other.directory)
    }

    fn limit_file(&self) -> PathBuf {
        self.directory.join(if self.version == 1 { "memory.limit_in_bytes" } else { "memory.max" })
    }

    pub(super) fn may_limit_memory(&self) -> bool {
        access(self.limit_file(), Access::WRITE_OK).is_ok()
    }

    /// Bytes; [`u64::MAX`] for no limit.
    pub(super) fn memory_limit(&self) -> io::Result<u64> {
        let text = fs::read_to_string(self.limit_file())?;
        match text.trim_end() {
            "max" => Ok(u64::MAX),
            number => number.parse().map_err(io::Error::other),
        }
    }

    pub(super) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let text = if bytes == u64::MAX { "max".to_owned() } else { bytes.to_string() };
        fs::write(self.limit_file(), text)
    }

    /// What holds, told by another file where there is one.
    pub(super) fn effective_memory_limit(&self) -> io::Result<u64> {
        if self.version != 1 {
            return self.memory_limit();
        }
        self.number("memory.stat", "hierarchical_memory_limit")
    }

    /// How many processes the kernel has killed in it for lack of memory, where it tells.
    pub(super) fn kills(&self) -> String {
        let file = if self.version == 1 { "memory.oom_control" } else { "memory.events" };
        match self.number(file, "oom_kill") {
            Ok(kills) => format!(", {kills} processes of it were killed for lack of memory"),
            Err(_) => String::new(),
        }
    }

    fn number(&self, file: &str, name: &str) -> io::Result<u64> {
        let text = fs::read_to_string(self.directory.join(file))?;
        let find = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(find).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{find, mounted};

    #[test]
    fn hierarchies_are_found_where_they_are_mounted() {
        let mounts = "proc /proc proc rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            none /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let place = |version, controller| {
            mounted(mounts, version, controller).map(|path| path.display().to_string())
        };
        assert_eq!(place(1, "memory").as_deref(), Some("/sys/fs/cgroup/memory"));
        assert_eq!(place(1, "blkio"), None);
        assert_eq!(place(2, "memory").as_deref(), Some("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn our_own_group_lists_us() {
        if let Some(group) = find(std::process::id(), "memory").unwrap() {
            assert!(group.memory_limit().unwrap() > 0 && group.is_within(&group));
        }
    }
}
