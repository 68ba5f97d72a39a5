//! The log: changes of state, one line each (plain lines may go on, indented), to standard error.
//!
//! What happens to single requests is in the access log and in the metrics, never here.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_control::Level;
use bulkhead_telemetry::Rfc3339;

use crate::args::{LogFormat, LogLevel};

/// Where and what is logged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    least: Level,
    format: LogFormat,
}

impl Log {
    pub(crate) const fn new(level: LogLevel, format: LogFormat) -> Self {
        let least = match level {
            LogLevel::Error => Level::Error,
            LogLevel::Warn => Level::Warn,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
        };
        Self { least, format }
    }

    pub(crate) fn write(&self, level: Level, message: &str) {
        if level < self.least {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = line(self.format, level, message, now);
        // If standard error is gone there is nobody to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// From now on panics are logged, in the format of the log. A panic that costs one exchange or
    /// one worker is survived, but never normal.
    pub(crate) fn take_panics(self) {
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or("unnamed");
            self.write(Level::Error, &format!("thread `{thread}`: {panic}"));
        }));
    }

    pub(crate) fn info(&self, message: &str) {
        self.write(Level::Info, message);
    }

    pub(crate) fn warn(&self, message: &str) {
        self.write(Level::Warn, message);
    }
}

fn line(format: LogFormat, level: Level, message: &str, now: Duration) -> String {
    let time = Rfc3339(now);
    match format {
        LogFormat::Plain => {
            let level = match level {
                Level::Debug => "DEBUG",
                Level::Info => "INFO ",
                Level::Warn => "WARN ",
                Level::Error => "ERROR",
            };
            format!("{time} {level} {}\n", message.replace('\n', "\n    "))
        }
        LogFormat::Json => {
            let level = match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            };
            let object = serde_json::json!({
                "time": time.to_string(), "level": level, "message": message,
            });
            format!("{object}\n")
        }
    }
}

#[cfg(test)]
mod tests;
