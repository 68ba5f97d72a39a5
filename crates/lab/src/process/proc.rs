//! What `/proc` tells of a process.

use std::fs;
use std::io;

/// From `/proc/PID/stat`; see proc_pid_stat(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Name of the executable, shortened by the kernel.
    pub(crate) command: String,
    /// `R`, `S`, `T`, `Z`, ….
    pub(crate) state: char,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        // The name may be any bytes.
        let bytes = fs::read(format!("/proc/{pid}/stat"))?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The name is in parentheses and may hold any of them itself: the last one ends it.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(") ")?;
        let (_, command) = before.split_once('(')?;
        let mut fields = after.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // The state is field 3, the start time field 22.
        let start_time = fields.nth(22 - 3 - 1)?.parse().ok()?;
        Some(Self { command: command.to_owned(), state, start_time })
    }

    /// By a signal or by a tracer.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Only its parent has not noticed yet.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "4711 (a) b (c) T 1 4711 4711 0 -1 4194304 94 0 0 0 0 0 0 0 20 0 1 0 123456 2 3";
        let expected = Stat { command: "a) b (c".to_owned(), state: 'T', start_time: 123_456 };
        assert_eq!(Stat::parse(text), Some(expected));
        for wrong in
            ["", "1 (x", "1 (x) ", "1 (x) S 1 2", "1 (x) S a b c d e f g h i j k l m n o p q r s"]
        {
            assert_eq!(Stat::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn we_are_running() {
        let stat = Stat::read(std::process::id()).unwrap();
        assert!(!stat.is_stopped() && !stat.is_dead() && stat.start_time > 0);
        assert!(Stat::read(u32::MAX).is_err());
    }
}
