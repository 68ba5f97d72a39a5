//! What `/proc` and the usual programs tell: processes, devices, rules of packet filters, programs in the
//! kernel.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::chaos::MARK;

/// Programs that tell what the kernel holds, where they are installed.
const TELLERS: [&[&str]; 3] =
    [&["ip", "-d", "-o", "link"], &["nft", "list", "ruleset"], &["bpftool", "link"]];
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that the bench has started, or that comes of one.
#[derive(Clone, Debug)]
pub(in crate::bench::chaos) struct Process {
    pub(in crate::bench::chaos) pid: u32,
    pub(in crate::bench::chaos) parent: u32,
    /// `R`, `S`, `T`, ….
    state: char,
    arguments: Vec<String>,
    /// It carries an injection.
    is_child_of_injection: bool,
}

/// All that bear the mark of this bench. Those that have ended and only wait to be noticed have no
/// environment any more.
pub(in crate::bench::chaos) fn processes() -> Vec<Process> {
    let mark = format!("{MARK}={}", std::process::id());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Process::read(pid, &mark)).collect()
}

impl Process {
    fn read(pid: u32, mark: &str) -> Option<Self> {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let has = |fits: &dyn Fn(&[u8]) -> bool| environment.split(|byte| *byte == 0).any(fits);
        if !has(&|it| it == mark.as_bytes()) {
            return None;
        }
        let is_child_of_injection = has(&|it| it.starts_with(b"BULKHEAD_CHAOS_ID="));
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let arguments = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let arguments = arguments.map(std::borrow::Cow::into_owned).collect();
        Some(Self { pid, parent, state, arguments, is_child_of_injection })
    }

    /// A role of the lab: `bulkhead chaos ROLE`.
    pub(in crate::bench::chaos) fn is_role(&self, role: &str) -> bool {
        self.arguments.get(1).is_some_and(|it| it == "chaos")
            && self.arguments.get(2).is_some_and(|it| it == role)
    }

    /// What should not be, while no injection is under way.
    pub(super) fn told(&self, known: &Known) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |is_so, what: &str| {
            if is_so {
                told.push(format!("process {} {what}: {}", self.pid, self.arguments.join(" ")));
            }
        };
        tell(matches!(self.state, 'T' | 't'), "is stopped");
        tell(self.is_child_of_injection && self.is_role("carry"), "carries a fault");
        let is_holder = self.is_role("hold-link");
        tell(is_holder && !known.holders.contains(&self.pid), "holds a link that nobody knows");
        tell(self.is_role("serve") && self.pid != known.lab, "is a lab of old");
        tell(self.has_nameless_file(), "takes room by a file without a name");
        let is_elsewhere = network(self.pid).is_some_and(|it| !known.networks.contains(&it));
        tell(is_elsewhere && has_device(self.pid), "sees a device of a link that is gone");
        told
    }

    fn has_nameless_file(&self) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        files.filter_map(|it| fs::read_link(it.path()).ok()).any(|target| {
            let target = target.display().to_string();
            target.starts_with('/') && target.ends_with(" (deleted)")
        })
    }
}

/// What may be there.
pub(super) struct Known {
    lab: u32,
    /// The processes of links that the lab tells of.
    holders: BTreeSet<u32>,
    /// The networks of these links' ends, and the one of this process.
    networks: BTreeSet<PathBuf>,
}

impl Known {
    /// From what the lab tells of its links, and the networks of wires.
    pub(super) fn of(lab: u32, links: &Value, wires: impl Iterator<Item = PathBuf>) -> Self {
        let links = links.as_array().map_or(&[][..], |links| links);
        let holders = links.iter().filter_map(|it| u32::try_from(it["pid"].as_u64()?).ok());
        let ends = links.iter().flat_map(|it| [&it["client"], &it["server"]]);
        let paths = ends.filter_map(|it| fs::read_link(it["network_namespace"].as_str()?).ok());
        let networks = paths.chain(network(std::process::id())).chain(wires).collect();
        Self { lab, holders: holders.collect(), networks }
    }
}

/// Its name for the kernel: `net:[4026531840]`.
fn network(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Whether a process sees a network device but the loopback interface.
fn has_device(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(':')).any(|(name, _)| name.trim() != "lo")
}

/// What there was before the bench began.
pub(in crate::bench::chaos) struct Before {
    lines: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Before {
    pub(in crate::bench::chaos) fn look() -> Self {
        Self { lines: lines(), groups: groups() }
    }

    /// What there is now, everything having ended, that was not there before. What ends by itself has a
    /// while for it.
    pub(in crate::bench::chaos) fn compare(&self, patience: Duration) -> Vec<String> {
        let deadline = Instant::now() + patience;
        loop {
            let of_tellers = lines().difference(&self.lines).cloned().collect::<Vec<_>>();
            let of_groups = groups().difference(&self.groups).cloned().collect::<Vec<_>>();
            let alive = processes()
                .into_iter()
                .map(|it| format!("process {} is still there: {}", it.pid, it.arguments.join(" ")));
            let left: Vec<String> = of_tellers.into_iter().chain(of_groups).chain(alive).collect();
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Of what the kernel holds, that which bears a name of ours.
fn lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for teller in TELLERS {
        let told = Command::new(teller[0]).args(&teller[1..]).output();
        let text = told.map(|told| told.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let ours = text.lines().filter(|it| it.contains("bulkhead") || it.contains("bench"));
        lines.extend(ours.map(|line| format!("{} tells: {line}", teller[0])));
    }
    lines
}

/// Control groups of the bench.
fn groups() -> BTreeSet<String> {
    let name = format!("bulkhead-bench-{}-", std::process::id());
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"];
    let entries = roots.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
    let names = entries.filter(|it| it.file_name().to_string_lossy().starts_with(&name));
    names.map(|it| format!("control group {}", it.path().display())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

    use serde_json::json;

    use super::{Known, Process, processes};
    use crate::bench::chaos::{Ended, marked};

    /// What is told of a process that this command became.
    fn told(command: &mut Command, prepare: impl FnOnce(&Ended)) -> String {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map(Ended).unwrap();
        prepare(&child);
        let mine = |it: &Process| it.pid == child.0.id();
        let known = Known::of(0, &json!([]), std::iter::empty());
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = processes().into_iter().find(mine);
            let told = found.map(|it| it.told(&known)).unwrap_or_default();
            if !told.is_empty() || Instant::now() >= deadline {
                return told.join("; ");
            }
        }
    }

    /// A process that is called as a role of the lab is: `sh chaos ROLE`.
    fn role(role: &str) -> Command {
        let directory = std::env::temp_dir().join(format!("bulkhead-probe-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("chaos"), "read line").unwrap();
        let mut command = marked("sh");
        command.args(["chaos", role]).current_dir(directory);
        command
    }

    #[test]
    fn what_is_left_is_seen() {
        let stop = |child: &Ended| kill_process(Pid::from_child(&child.0), Signal::STOP).unwrap();
        let stopped = told(&mut marked("cat"), stop);
        assert!(stopped.contains("is stopped: cat"), "{stopped}");
        let carrier = told(role("carry").env("BULKHEAD_CHAOS_ID", "7"), |_| ());
        assert!(carrier.contains("carries a fault"), "{carrier}");
        let holder = told(&mut role("hold-link"), |_| ());
        assert!(holder.contains("holds a link that nobody knows"), "{holder}");
        let lab = told(&mut role("serve"), |_| ());
        assert!(lab.contains("is a lab of old"), "{lab}");
        let mut nameless = marked("sh");
        nameless.args(["-c", "exec 3>nameless; rm nameless; read line"]);
        let nameless = told(nameless.current_dir(std::env::temp_dir()), |_| ());
        assert!(nameless.contains("by a file without a name"), "{nameless}");
        let _ = fs::remove_dir_all(
            std::env::temp_dir().join(format!("bulkhead-probe-{}", std::process::id())),
        );
    }
}
