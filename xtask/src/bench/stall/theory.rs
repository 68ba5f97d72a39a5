//! What the latencies must be: requests at a constant rate, first come first served, over so many
//! connections, to a server that takes the same time for each and freezes once. Nothing is random, so
//! the queue is computed and not estimated.

/// The experiment. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Experiment {
    pub(crate) requests_per_second: u32,
    pub(crate) duration_ms: u32,
    pub(crate) connections: u32,
    /// From a request to its answer.
    pub(crate) answer_ms: u32,
    /// From the request that sets the clock to the stall.
    pub(crate) stall_after_ms: u32,
    pub(crate) stall_ms: u32,
}

/// The percentiles that are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    /// `None` where a tool does not tell it.
    pub(crate) p999: Option<f64>,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of sorted latencies.
    pub(crate) fn of(sorted: &[f64]) -> Self {
        let at = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: Some(at(0.999)), max: at(1.0) }
    }

    /// Largest difference from `theory`, as a share of it.
    pub(crate) fn error(&self, theory: &Self) -> f64 {
        let share = |own: f64, theirs: f64| (own - theirs).abs() / theirs;
        let last = self.p999.zip(theory.p999).map_or(0.0, |(own, theirs)| share(own, theirs));
        [
            share(self.p50, theory.p50),
            share(self.p90, theory.p90),
            share(self.p99, theory.p99),
            share(self.max, theory.max),
        ]
        .into_iter()
        .fold(last, f64::max)
    }
}

impl Experiment {
    /// Latencies from the intended times, sorted.
    pub(crate) fn open_loop(&self) -> Vec<f64> {
        let gap_ms = 1e3 / f64::from(self.requests_per_second);
        let count = u64::from(self.requests_per_second) * u64::from(self.duration_ms) / 1000;
        let mut free_at = vec![0.0_f64; self.connections as usize];
        let mut latencies: Vec<f64> = (0..count)
            .map(|number| {
                let due = number as f64 * gap_ms;
                let connection = earliest(&free_at);
                let answered = self.answered(due.max(free_at[connection]));
                free_at[connection] = answered;
                answered - due
            })
            .collect();
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    /// Latencies in a closed loop over `connections`, from the sending, sorted.
    pub(crate) fn closed_loop(&self, connections: u32) -> Vec<f64> {
        let mut latencies = Vec::new();
        let mut now = 0.0;
        while now < f64::from(self.duration_ms) {
            let answered = self.answered(now);
            latencies.extend(std::iter::repeat_n(answered - now, connections as usize));
            now = answered;
        }
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    /// When a request is answered that comes at `at`: the stall interrupts what was begun.
    fn answered(&self, at: f64) -> f64 {
        let begin = f64::from(self.stall_after_ms);
        let end = begin + f64::from(self.stall_ms);
        let answer = f64::from(self.answer_ms);
        if at >= begin && at < end {
            end + answer
        } else if at < begin && at + answer > begin {
            at + answer + f64::from(self.stall_ms)
        } else {
            at + answer
        }
    }
}

fn earliest(times: &[f64]) -> usize {
    let smallest = times.iter().enumerate().min_by(|one, other| one.1.total_cmp(other.1));
    smallest.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests;
