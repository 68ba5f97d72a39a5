//! Faults of the host, each there and back, seen by ourselves and not by the lab.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{ChaosId, Fault, InjectRequest, State, Target};
use bulkhead_lab::{
    GuardianCommand, HostInjector, Lab, Registry, RestartProcess, Until, carry, process_target,
};

use crate::stage::{Directory, PATIENCE, ann};

/// In a child: what carries a fault.
#[test]
#[ignore = "a role in other tests"]
fn role_carry() {
    carry().unwrap();
}

pub(crate) fn carry_command() -> GuardianCommand {
    GuardianCommand {
        program: std::env::current_exe().unwrap().into(),
        arguments: ["--exact", "host::role_carry", "--ignored", "--nocapture"]
            .map(Into::into)
            .to_vec(),
    }
}

/// A process to be struck, which ends with the test.
pub(crate) struct Victim(pub(crate) Child);

impl Victim {
    pub(crate) fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn target(&self) -> Target {
        process_target(self.0.id()).unwrap()
    }

    /// Soft limit of open files.
    pub(crate) fn descriptors(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/limits", self.0.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_ascii_whitespace().nth(3).unwrap().parse().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn fault(json: &str) -> Fault {
    serde_json::from_str(json).unwrap()
}

/// Processes that have this in their environment, and are no zombies.
pub(crate) fn with_environment(text: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let has = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(text.len()).any(|part| part == text.as_bytes())
    };
    pids.filter(has).collect()
}

fn carriers(id: ChaosId) -> Vec<u32> {
    with_environment(&format!("BULKHEAD_CHAOS_ID={id}"))
}

struct Stage {
    directory: Directory,
    lab: Lab,
}

impl Stage {
    fn new() -> Self {
        let directory = Directory::new();
        let registry = Registry::new()
            .with(HostInjector::new(carry_command()))
            .with(RestartProcess::new(true));
        let lab = Lab::open(directory.options(), registry).unwrap();
        Self { directory, lab }
    }

    fn order(&self, json: &str, target: Target) -> (ChaosId, State, String) {
        let ordered = self.lab.order(&ann(), &InjectRequest::new(fault(json), target)).unwrap();
        let settled = self.lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
        (settled.id, settled.state, settled.detail.unwrap_or_default())
    }

    #[track_caller]
    fn active(&self, json: &str, target: Target) -> ChaosId {
        let (id, state, detail) = self.order(json, target);
        assert_eq!(state, State::Active, "{json}: {detail}");
        assert!(!carriers(id).is_empty());
        id
    }

    #[track_caller]
    fn refused(&self, json: &str, target: Target, because: &str) {
        let (_, state, detail) = self.order(json, target);
        assert_eq!(state, State::Refused, "{json}: {detail}");
        assert!(detail.contains(because), "{detail}");
    }

    #[track_caller]
    fn take_back(&self, id: ChaosId) -> String {
        self.lab.stop(&ann(), id, "enough").unwrap();
        let ended = self.lab.wait(&[id], Until::Ended, PATIENCE).remove(0);
        assert_eq!(ended.state, State::Reverted, "{:?}", ended.detail);
        assert_eq!(carriers(id), [0_u32; 0]);
        ended.detail.unwrap_or_default()
    }
}

#[test]
fn processors_are_kept_busy() {
    let stage = Stage::new();
    let id = stage.active(r#"{"host": {"cpu": {"threads": 3, "percent": 5}}}"#, Target::Host);
    let threads = fs::read_dir(format!("/proc/{}/task", carriers(id)[0])).unwrap().flatten();
    let names = threads.map(|it| fs::read_to_string(it.path().join("comm")).unwrap());
    assert_eq!(names.filter(|name| name == "stress-cpu\n").count(), 3);
    stage.take_back(id);
    stage.refused(r#"{"host": {"cpu": {"threads": 0}}}"#, Target::Host, "1 to 1024");
}

#[test]
fn memory_is_taken_beside_the_target() {
    let (stage, victim) = (Stage::new(), Victim::start());
    let id = stage.active(r#"{"host": {"memory": {"bytes": 33554432}}}"#, victim.target());
    let pid = carriers(id)[0];
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(resident * 4096 >= 33_554_432);
    let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    assert_eq!(score.trim_end(), "1000", "the kernel takes it first");
    stage.take_back(id);
}

#[test]
fn a_child_that_is_killed_is_an_injection_that_was_lost() {
    let stage = Stage::new();
    let id = stage.active(r#"{"host": {"memory": {"bytes": 1048576}}}"#, Target::Host);
    let pid = rustix::process::Pid::from_raw(carriers(id)[0].cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !carriers(id).is_empty() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
    let detail = stage.take_back(id);
    assert!(detail.contains("injection lost"), "{detail}");
}

#[test]
fn a_disk_is_written_to_and_no_file_is_left() {
    let stage = Stage::new();
    let directory = stage.directory.0.join("disk");
    fs::create_dir(&directory).unwrap();
    let json = format!(r#"{{"host": {{"io": {{"directory": {directory:?}, "bytes": 65536}}}}}}"#);
    let id = stage.active(&json, Target::Host);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "it never has a name");
    stage.take_back(id);
    let nowhere = r#"{"host": {"io": {"directory": "/proc", "bytes": 65536}}}"#;
    stage.refused(nowhere, Target::Host, "O_TMPFILE");
}

/// A small file system, where the host lets us mount one.
pub(crate) struct Mount(pub(crate) PathBuf);

impl Mount {
    pub(crate) fn new(place: &Path) -> Option<Self> {
        fs::create_dir(place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(place);
        if mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Some(Self(place.to_owned()));
        }
        eprintln!("skipped: this host lets us mount no tmpfs");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_is_full_and_has_room_again() {
    let stage = Stage::new();
    let Some(mount) = Mount::new(&stage.directory.0.join("disk")) else { return };
    let room = || {
        let file = mount.0.join("probe");
        let wrote = fs::write(&file, vec![1; 8 << 20]);
        let _ = fs::remove_file(&file);
        wrote.is_ok()
    };
    assert!(room());
    let (place, free) = (&mount.0, 2 << 20);
    let json =
        format!(r#"{{"host": {{"disk_full": {{"directory": {place:?}, "free_bytes": {free}}}}}}}"#);
    let id = stage.active(&json, Target::Host);
    assert!(!room());
    stage.take_back(id);
    assert!(room());
    assert_eq!(fs::read_dir(&mount.0).unwrap().count(), 0);
}

#[test]
fn the_root_file_system_is_filled_only_on_demand() {
    let stage = Stage::new();
    let json = r#"{"host": {"disk_full": {"directory": "/"}}}"#;
    stage.refused(json, Target::Host, "allow_root_file_system");
}

#[test]
fn a_process_may_open_fewer_files() {
    let (stage, victim) = (Stage::new(), Victim::start());
    let before = victim.descriptors();
    let id = stage.active(r#"{"host": {"descriptors": {"limit": 9}}}"#, victim.target());
    assert_eq!(victim.descriptors(), 9);
    let lower = r#"{"host": {"descriptors": {"limit": 8}}}"#;
    stage.refused(lower, victim.target(), "has lowered this limit");
    stage.take_back(id);
    assert_eq!(victim.descriptors(), before);
    stage.refused(lower, Target::Host, "no process");
    let more = format!(r#"{{"host": {{"descriptors": {{"limit": {before}}}}}}}"#);
    stage.refused(&more, victim.target(), "already");
}

/// A control group of version 1 or 2 with a memory controller, where the host lets us make one.
pub(crate) struct Group(pub(crate) PathBuf);

impl Group {
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bulkhead-test-{}-{number}", std::process::id());
        let roots =
            ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(|root| Path::new(root).join(&name));
        for (place, limit) in roots.into_iter().zip(["memory.limit_in_bytes", "memory.max"]) {
            if fs::create_dir(&place).is_ok() {
                let group = Self(place);
                if group.0.join(limit).exists() {
                    return Some(group);
                }
            }
        }
        eprintln!("skipped: this host lets us make no control group with memory");
        None
    }

    pub(crate) fn limit(&self) -> String {
        ["memory.limit_in_bytes", "memory.max"]
            .iter()
            .find_map(|file| fs::read_to_string(self.0.join(file)).ok())
            .unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while fs::remove_dir(&self.0).is_err() && self.0.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_control_group_is_short_of_memory() {
    let Some(group) = Group::new() else { return };
    let (stage, victim) = (Stage::new(), Victim::start());
    fs::write(group.0.join("cgroup.procs"), victim.0.id().to_string()).unwrap();
    let before = group.limit();
    let limit = r#"{"host": {"memory_limit": {"bytes": 16777216}}}"#;
    let id = stage.active(limit, victim.target());
    assert_eq!(group.limit(), "16777216\n");
    // What then needs more is killed: here load of our own, which is in the group of its target.
    let load = r#"{"host": {"memory": {"bytes": 67108864}}}"#;
    let (_, state, detail) = stage.order(load, victim.target());
    assert!(matches!(state, State::Failed | State::NotEffective), "{state}: {detail}");
    assert!(detail.contains("injection lost"), "{detail}");
    stage.take_back(id);
    assert_eq!(group.limit(), before);
    // Not to starve the lab itself.
    let sibling = Victim::start();
    stage.refused(limit, sibling.target(), "the lab itself");
}

#[test]
fn a_process_is_killed_and_started_again() {
    let (stage, mut victim) = (Stage::new(), Victim::start());
    let json = r#"{"process": {"restart": {"command": ["sleep", "601"]}}}"#;
    let (id, state, detail) = stage.order(json, victim.target());
    assert_eq!(state, State::Active, "{detail}");
    assert!(victim.0.try_wait().unwrap().is_some());
    stage.take_back(id);
    let again = with_environment(&format!("BULKHEAD_CHAOS_RESTARTED_BY={id}"));
    assert_eq!(again.len(), 1);
    let pid = rustix::process::Pid::from_raw(again[0].cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let nothing = r#"{"process": {"restart": {"command": []}}}"#;
    stage.refused(nothing, Victim::start().target(), "no command");
}

/// What lowers limits is not ended by the kernel: it raises them by itself when the lab is gone.
#[test]
fn time_ends_it_without_the_lab() {
    let (stage, victim) = (Stage::new(), Victim::start());
    let before = victim.descriptors();
    let mut request =
        InjectRequest::new(fault(r#"{"host": {"descriptors": {"limit": 9}}}"#), victim.target());
    request.ttl = "1s".parse().unwrap();
    let ordered = stage.lab.order(&ann(), &request).unwrap();
    let ended = stage.lab.wait(&ordered.ids, Until::Ended, PATIENCE).remove(0);
    assert!(ended.state.is_terminal(), "{:?}", ended.detail);
    assert_eq!(victim.descriptors(), before);
}
