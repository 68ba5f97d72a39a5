//! The classic percentile distribution of HdrHistogram (`.hgrm`), in milliseconds, as the plotters of
//! that family read it.

use std::fmt::Write;

use bulkhead_load::Latencies;

/// Lines for each halving of what lies above.
const TICKS_PER_HALF: u32 = 5;
const US_PER_MS: f64 = 1_000.0;

/// The distribution as text.
pub(crate) fn hgrm(latencies: &Latencies) -> String {
    let histogram = &latencies.0;
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / US_PER_MS;
        let quantile = step.quantile_iterated_to();
        let _ = write!(text, "{value:12.3} {quantile:2.12} {total:10}");
        if quantile < 1.0 {
            let _ = write!(text, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        text.push('\n');
    }
    let ms = |value: f64| value / US_PER_MS;
    let sub_buckets = (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(
        text,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]",
        ms(histogram.mean()),
        ms(histogram.stdev()),
        ms(histogram.max() as f64),
        histogram.len(),
        histogram.buckets(),
    );
    text
}

#[cfg(test)]
mod tests;
