//! All that is told of a run while it goes on and when it has ended, behind one face.
//!
//! What breaks on the way, such as a full disk or a terminal that has gone, never ends the run: the
//! rest goes on and the complaint comes at the end.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bulkhead_load::{Latencies, Row};

use super::args::OutputArgs;
use super::hdr_log::HdrLog;
use super::html::{Contents, html};
use super::live::{Live, LivePlan};
use super::push::{Format, Labels, Push};
use super::{hgrm, junit};

/// What listens to a run.
#[derive(Default)]
pub(crate) struct Sinks {
    live: Option<Live>,
    /// Until the load has begun.
    log_file: Option<File>,
    log: Option<HdrLog<BufWriter<File>>>,
    pushes: Vec<Push>,
    complaints: Vec<String>,
    /// No lines are printed either.
    is_quiet: bool,
}

impl Sinks {
    /// Nothing listens.
    pub(crate) fn quiet() -> Self {
        Self { is_quiet: true, ..Self::default() }
    }

    /// Opens what the flags ask for, before the load. The screen is drawn if there is a terminal.
    ///
    /// # Errors
    /// If a file cannot be made or a URL or a label is wrong.
    pub(crate) fn open(
        args: &OutputArgs,
        plan: LivePlan,
        classes: &[String],
    ) -> anyhow::Result<Self> {
        let mut sinks = Self::default();
        if let Some(path) = &args.hdr_log {
            let file = File::create(path).with_context(|| format!("write `{}`", path.display()))?;
            sinks.log_file = Some(file);
        }
        let labels = Labels::parse(&plan.target, &args.labels)?;
        let receivers = [(Format::RemoteWrite, &args.remote_write), (Format::Otlp, &args.otlp)];
        for (format, url) in receivers {
            if let Some(url) = url {
                sinks.pushes.push(Push::start(format, url, labels.clone(), classes.to_vec())?);
            }
        }
        // Last, so that what goes wrong above is told on the usual screen.
        if !args.plain && Live::is_possible() {
            match Live::open(plan) {
                Ok(live) => sinks.live = Some(live),
                Err(error) => sinks.complaints.push(format!("draw on the terminal: {error}")),
            }
        }
        Ok(sinks)
    }

    /// The load has begun, and its measured part begins at this time.
    pub(crate) fn on_start(&mut self, measured_from: SystemTime) {
        let Some(file) = self.log_file.take() else { return };
        match HdrLog::begin(BufWriter::new(file), measured_from) {
            Ok(log) => self.log = Some(log),
            Err(error) => self.complaints.push(format!("write the interval log: {error}")),
        }
    }

    /// Whether no lines may be printed, because the screen is drawn or nobody wants them.
    pub(crate) const fn is_live(&self) -> bool {
        self.live.is_some() || self.is_quiet
    }

    /// A second is complete.
    pub(crate) fn on_row(&mut self, row: &Row, latencies: &Latencies) {
        if let Some(live) = &mut self.live {
            live.on_row(row, latencies);
        }
        for push in &mut self.pushes {
            push.on_row(row, latencies);
        }
        if let Some(log) = &mut self.log
            && let Err(error) = log.on_row(row, latencies)
        {
            self.complaints.push(format!("write the interval log: {error}; it ends there"));
            self.log = None;
        }
    }

    /// Draws and reads keys, `elapsed` after the first request was due. To be called several times a
    /// second. Whether the run is to end early.
    pub(crate) fn tick(&mut self, elapsed: Duration) -> bool {
        let Some(live) = &mut self.live else { return false };
        live.tick(elapsed).unwrap_or_else(|error| {
            self.complaints.push(format!("draw on the terminal: {error}"));
            self.live = None;
            false
        })
    }

    /// To be called when the report has been taken, because a dead receiver may hold this up for some
    /// seconds: puts the screen back, ends the log, sends what waits, and tells what went wrong, a line each.
    pub(crate) fn finish(mut self) -> Vec<String> {
        drop(self.live.take());
        if let Some(log) = self.log.take()
            && let Err(error) = log.finish()
        {
            self.complaints.push(format!("write the interval log: {error}"));
        }
        let pushes = std::mem::take(&mut self.pushes);
        self.complaints.extend(pushes.into_iter().filter_map(|push| push.finish().complaint()));
        self.complaints
    }
}

/// Writes the files that the flags ask for, once the run has ended.
///
/// # Errors
/// If one cannot be written.
pub(crate) fn write_files(args: &OutputArgs, contents: &Contents<'_>) -> anyhow::Result<()> {
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
    };
    if let Some(path) = &args.html {
        write(path, html(contents))?;
    }
    if let Some(path) = &args.hgrm {
        write(path, hgrm(&contents.report.latency))?;
    }
    if let Some(path) = &args.junit {
        write(path, junit(contents.document, contents.provenance))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
