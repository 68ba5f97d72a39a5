//! The interval log of HdrHistogram, version 1.3: a compressed histogram per second, written as the
//! run goes, so that a long run holds no more than a short one. Any reader of the format can merge
//! seconds exactly.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use bulkhead_load::{Latencies, Row};
use bulkhead_message::CivilTime;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

/// Values are microseconds; the column of maxima is in milliseconds, as is usual.
const MAX_DIVISOR: f64 = 1_000.0;

/// An interval log that is being written.
pub(crate) struct HdrLog<W> {
    out: W,
    serializer: V2DeflateSerializer,
    line: Vec<u8>,
}

impl<W: Write> HdrLog<W> {
    /// Begins the log; `started` is when the measured part began.
    ///
    /// # Errors
    /// If the head cannot be written.
    pub(crate) fn begin(mut out: W, started: SystemTime) -> io::Result<Self> {
        let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, ms) = (since.as_secs(), since.subsec_millis());
        let date = CivilTime::from_unix(seconds);
        write!(
            out,
            "#[Histogram log format version 1.3]\n\
             #[StartTime: {seconds}.{ms:03} (seconds since epoch), {date}]\n\
             #[BaseTime: {seconds}.{ms:03} (seconds since epoch)]\n\
             #[Values: microseconds; maxima: milliseconds]\n\
             \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
        )?;
        Ok(Self { out, serializer: V2DeflateSerializer::new(), line: Vec::new() })
    }

    /// Writes the latencies of a second under the tag `latency`.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub(crate) fn on_row(&mut self, row: &Row, latencies: &Latencies) -> io::Result<()> {
        self.line.clear();
        let from = Duration::from_secs(row.second);
        IntervalLogWriterBuilder::new()
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut self.line, &mut self.serializer)?
            .write_histogram(&latencies.0, from, Duration::from_secs(1), Tag::new("latency"))
            .map_err(io::Error::other)?;
        // The writer repeats its divisor before each line; only the last line is ours.
        let end = self.line.len().saturating_sub(1);
        let start = self.line[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.out.write_all(&self.line[start..])?;
        // A line each second is there to be read at once.
        self.out.flush()
    }

    /// Ends the log.
    ///
    /// # Errors
    /// If what is left cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests;
