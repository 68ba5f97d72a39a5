//! `host.descriptors`: a lower `RLIMIT_NOFILE` for a process that runs. Set by `prlimit`, seen in
//! `/proc/PID/limits`.

use std::fs;
use std::io;

use bulkhead_chaos::Target;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::{Deserialize, Serialize};

use super::task::{Kept, Look, Work};
use crate::process::Stat;
use crate::{Evidence, Refusal};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Descriptors {
    pid: u32,
    start_time: u64,
    limit: u64,
    /// The soft limit as it was.
    before: u64,
}

impl Descriptors {
    pub(super) fn prepare(limit: u64, target: &Target) -> Result<Self, Refusal> {
        let Target::Process { pid, start_time } = *target else {
            return Err(Refusal::new(
                "the target is no process",
                "name one by `pid` and `start_time`",
            ));
        };
        if pid <= 1 || pid == std::process::id() {
            return Err(Refusal::new("this is init or the lab itself", "choose another process"));
        }
        let work = Self { pid, start_time, limit, before: 0 };
        let Some((before, _)) = work.limits().map_err(|error| {
            Refusal::new(format!("process {pid}: {error}"), "run the lab as the same user")
        })?
        else {
            return Err(Refusal::new(format!("process {pid} is gone"), "choose one that is alive"));
        };
        if before <= limit {
            return Err(Refusal::new(format!("its limit is {before} already"), "ask for less"));
        }
        Ok(Self { before, ..work })
    }

    /// Soft and hard, [`u64::MAX`] for none; nothing if the process is gone.
    fn limits(&self) -> io::Result<Option<(u64, u64)>> {
        if !Stat::read(self.pid).is_ok_and(|stat| stat.start_time == self.start_time) {
            return Ok(None);
        }
        let text = match fs::read_to_string(format!("/proc/{}/limits", self.pid)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
        let mut words = line.unwrap_or_default().split_ascii_whitespace().map(|word| match word {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        });
        let mut next = || words.next().flatten().ok_or(io::ErrorKind::InvalidData);
        Ok(Some((next()?, next()?)))
    }

    fn set(&self, soft: u64, hard: u64) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid.cast_signed()) else { return Ok(()) };
        let number = |limit: u64| (limit != u64::MAX).then_some(limit);
        let limits = Rlimit { current: number(soft), maximum: number(hard) };
        match prlimit(Some(pid), Resource::Nofile, limits) {
            Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn look(&self) -> Look<'_> {
        Box::new(|| self.see(|soft| soft <= self.limit, false))
    }

    fn see(&self, is_so: impl Fn(u64) -> bool, if_gone: bool) -> Evidence {
        match self.limits() {
            Ok(Some((soft, _))) => Evidence {
                holds: is_so(soft),
                seen: format!("process {} may have {soft} files open", self.pid),
            },
            Ok(None) => Evidence { holds: if_gone, seen: format!("process {} is gone", self.pid) },
            Err(error) => Evidence { holds: false, seen: error.to_string() },
        }
    }

    pub(super) fn limit(&self) -> String {
        format!("RLIMIT_NOFILE of {} {}", self.pid, self.start_time)
    }
}

impl Work for Descriptors {
    fn begin(&self) -> io::Result<Kept> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the process is gone");
        let (_, hard) = self.limits()?.ok_or_else(gone)?;
        self.set(self.limit, hard)?;
        Ok(Kept::Nothing)
    }

    /// To no less than it was: so it comes out right in whatever order several are taken back, and what
    /// others have raised meanwhile stays.
    fn restore(&self) -> io::Result<()> {
        match self.limits()? {
            Some((soft, hard)) if soft < self.before => self.set(self.before.min(hard), hard),
            _ => Ok(()),
        }
    }

    fn look_restored(&self) -> io::Result<Evidence> {
        let hard = self.limits()?.map_or(u64::MAX, |(_, hard)| hard);
        Ok(self.see(|soft| soft >= self.before.min(hard), true))
    }
}
