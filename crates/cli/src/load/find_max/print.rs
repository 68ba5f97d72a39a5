//! The result of a search as text: one line that says it, and the curve as a table.

use std::io::{self, Write};

use bulkhead_load::search::Ended;

use super::FindMaxDocument;

impl FindMaxDocument {
    /// What was found, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let objective = &self.objective;
        let held = match self.rate {
            Some(rate) => format!("`{objective}` held in a trial at {rate:.1}/s"),
            None => format!("`{objective}` held in no trial"),
        };
        match (self.ended, self.rate) {
            (Ended::Confirmed, Some(rate)) => {
                let confidence = self.confidence.map_or_else(String::new, |c| {
                    let (low, high) = (c.low * 100.0, c.high * 100.0);
                    format!(
                        ": {} of {} trials held ({low:.0} to {high:.0} % at 95 % confidence)",
                        c.held, c.of
                    )
                });
                let bound = self.precision.map_or_else(
                    || "; it is the highest that was allowed, not a limit of the target".to_owned(),
                    |share| format!("; {:.1} % more did not hold", share * 100.0),
                );
                format!("{rate:.1}/s is the highest rate with `{objective}`{confidence}{bound}")
            }
            (Ended::GeneratorLimited, _) => {
                let at = self.generator_limit_rps.unwrap_or_default();
                format!(
                    "the generator is the limit at {at:.1}/s, so the target's is not known; {held}"
                )
            }
            (Ended::NeverHeld, _) => format!("`{objective}` does not hold even at the lowest rate"),
            (Ended::OutOfTrials, _) => format!("all trials were used; {held}, not confirmed"),
            (Ended::OutOfTime, _) => format!("all time was used; {held}, not confirmed"),
            (Ended::Interrupted | Ended::Confirmed, _) => {
                format!("ended early; {held}, not confirmed")
            }
        }
    }

    /// Writes the summary.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>10} {:>6} {:>10} {:>9} {:>9} {:>9} {:>9} {:>8}",
            "rate/s", "trials", "ok/s", "mean ms", "p50 ms", "p99 ms", "errors", "at once"
        )?;
        for point in &self.curve {
            writeln!(
                out,
                "{:>10.1} {:>6} {:>10.1} {:>9.3} {:>9.3} {:>9.3} {:>7.2} % {:>8.2}",
                point.rate,
                point.trials,
                point.throughput_rps,
                point.latency_ms.mean,
                point.latency_ms.p50,
                point.latency_ms.p99,
                point.error_share * 100.0,
                point.concurrency
            )?;
        }
        match (&self.usl, &self.usl_refused) {
            (Some(usl), _) => {
                let law = &usl.law;
                writeln!(
                    out,
                    "scalability  lambda {:.1}/s, sigma {:.5}, kappa {:.3e} (R2 {:.3}, {} points)",
                    law.lambda, law.sigma, law.kappa, law.r_squared, usl.points
                )?;
                match law.peak {
                    Some(peak) => writeln!(
                        out,
                        "peak         {:.1}/s with {:.1} requests at once, by that law",
                        peak.throughput_rps, peak.concurrency
                    )?,
                    None => writeln!(out, "peak         none: no crosstalk was seen")?,
                }
            }
            (None, Some(refused)) => writeln!(out, "scalability  no fit: {refused}")?,
            (None, None) => {}
        }
        writeln!(out, "found        {}", self.sentence())
    }
}
