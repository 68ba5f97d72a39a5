//! `--agents`: the load of other machines as one run of this one, and whether each of them kept up.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_load::remote::{AgentReport, Agents, CoordinatorOptions, Job, RemoteError, start};
use bulkhead_load::{Load, LoadOptions};
use serde::Serialize;

use super::agent::read_secret;

/// Which machines generate the load.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Agents")]
pub(crate) struct AgentsArgs {
    /// Agents (`bulkhead load agent`) that generate the load in place of this machine
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    pub(crate) agents: Vec<String>,
    /// File with the secret of the agents
    #[arg(long, value_name = "FILE", requires = "agents")]
    pub(crate) agent_secret_file: Option<PathBuf>,
}

/// What an agent has to keep, or the figures say nothing about the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentLimits {
    /// Of the generator's lag at P99, in milliseconds.
    pub(crate) lag_p99_ms_max: f64,
    /// Of one core, for the thread that uses most.
    pub(crate) cpu_share_max: f64,
}

/// The agents' part of the results.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AgentsDocument {
    pub(crate) agents: Vec<AgentReport>,
    /// No agent began more than this from when it was meant to.
    pub(crate) start_skew_ms_max: f64,
    /// To be added to those of the run.
    #[serde(skip)]
    pub(crate) invalid_reasons: Vec<String>,
}

impl AgentsArgs {
    /// Begins a run of `job` on the agents; `options` are what it comes to here.
    pub(crate) fn start(&self, job: &Job, options: LoadOptions) -> anyhow::Result<(Load, Agents)> {
        let secret = self.agent_secret_file.as_deref().map(read_secret).transpose()?;
        let coordinator = CoordinatorOptions { agents: self.agents.clone(), secret };
        start(&coordinator, job, options).map_err(|error| match error {
            RemoteError::Connect { .. } => anyhow::Error::new(error)
                .context("an agent is missing; start it with `bulkhead load agent`"),
            error => error.into(),
        })
    }
}

impl AgentsDocument {
    /// Of a run that is over and took `duration`.
    pub(crate) fn new(agents: &Agents, duration: Duration, limits: AgentLimits) -> Self {
        let reports = agents.reports();
        let mut invalid_reasons = agents.invalid_reasons();
        for report in &reports {
            invalid_reasons.extend(reasons(report, duration, limits));
        }
        let skew = reports.iter().map(|report| report.start_skew_ms_max).fold(0.0, f64::max);
        Self { agents: reports, start_skew_ms_max: skew, invalid_reasons }
    }

    /// A line for each agent.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |agent: &AgentReport| match &agent.lost {
            Some(lost) => format!("{}: lost: {lost}", agent.name),
            None => format!(
                "{}: {} of {} ok on {} threads, lag p99 {:.3} ms, {:.3} ms away, began within \
                 {:.3} ms",
                agent.name,
                agent.ok,
                agent.scheduled,
                agent.threads,
                agent.lag_ms.p99,
                agent.rtt_ms / 2.0,
                agent.start_skew_ms_max
            ),
        };
        self.agents.iter().map(line).collect()
    }
}

/// One agent that is behind vanishes among ten that are not: each is judged by itself.
fn reasons(report: &AgentReport, duration: Duration, limits: AgentLimits) -> Vec<String> {
    let AgentReport { name, lag_ms, cpu_s_max, .. } = report;
    let mut reasons = Vec::new();
    if lag_ms.p99 > limits.lag_p99_ms_max {
        let (lag, limit) = (lag_ms.p99, limits.lag_p99_ms_max);
        reasons
            .push(format!("agent {name} was {lag:.1} ms behind at P99; {limit} ms is the limit"));
    }
    let share = cpu_s_max / duration.as_secs_f64().max(f64::MIN_POSITIVE);
    if share > limits.cpu_share_max {
        let (share, limit) = (share * 100.0, limits.cpu_share_max * 100.0);
        reasons.push(format!(
            "a thread of agent {name} used {share:.0} % of one core; {limit:.0} % is the limit"
        ));
    }
    reasons
}

#[cfg(test)]
mod tests;
