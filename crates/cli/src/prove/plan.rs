//! What is going to be done: the flags with every default filled in.

use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_chaos::{Kill, KillPlan};
use bulkhead_load::{Arrivals, Class, LoadOptions, Process, Protocol, Schedule, TargetOptions};

use super::args::{Profile, ProveArgs, format_duration};

/// Share of the workers killed in each round.
pub(crate) const KILL_SHARE: f64 = 0.15;
/// Share of the requests that are JSON over HTTP/2; the rest is gRPC over HTTP/2.
pub(crate) const HTTP2_SHARE: f64 = 0.72;
/// Time left after the last kill, to see the workers come back and the traffic go on.
const LAST_KILL_MARGIN: Duration = Duration::from_millis(1_500);
/// Requests are released in ticks of so long.
const TICK: Duration = Duration::from_micros(500);
/// Streams that a client uses on one connection at most.
const STREAMS_MAX: usize = 100;
/// Mean life of a client connection. Clients come and go, so that killed workers have fresh
/// connections again, and new ones arrive while workers die.
pub(crate) const CONNECTION_LIFE: Duration = Duration::from_secs(5);
/// A request without its whole answer after so long has failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests that wait at the upstream at any time, so that every kill meets some in flight.
pub(crate) const HELD: usize = 64;
/// How long each of them waits there.
pub(crate) const HELD_MS: u64 = 1_000;
/// Their name among the classes.
pub(crate) const HELD_CLASS: &str = "held";
/// Names of the classes of requests, in the order of their indices.
pub(crate) const CLASSES: [&str; 2] = ["http2", "grpc"];

/// A run, decided in every detail but the rate, which calibration may still have to find.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) duration: Duration,
    pub(crate) kill_interval: Duration,
    pub(crate) kills: Vec<Kill>,
    pub(crate) workers: usize,
    pub(crate) connections: usize,
    /// `None`: to be found.
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
    pub(crate) jwt: bool,
    /// Signed tokens in the pool.
    pub(crate) tokens: usize,
}

impl Plan {
    pub(crate) fn resolve(args: &ProveArgs) -> anyhow::Result<Self> {
        let duration = args.duration.unwrap_or_else(|| args.profile.duration());
        let kill_interval = args.kill_interval.unwrap_or_else(|| args.profile.kill_interval());
        let seed = args.seed.unwrap_or_else(seed_from_clock);
        let kills = KillPlan {
            interval: kill_interval,
            share: KILL_SHARE,
            workers: usize::from(args.workers),
            seed,
        }
        .rounds_within(duration, LAST_KILL_MARGIN)
        .context("plan the kills")?;
        ensure!(
            !kills.is_empty(),
            "no worker would be killed: --duration {} leaves no room for a kill every {} with {} \
             to recover; make --duration longer or --kill-interval shorter",
            format_duration(duration),
            format_duration(kill_interval),
            format_duration(LAST_KILL_MARGIN),
        );
        Ok(Self {
            profile: args.profile,
            duration,
            kill_interval,
            kills,
            workers: usize::from(args.workers),
            connections: usize::from(args.connections),
            rate: args.rate,
            seed,
            jwt: !args.no_jwt,
            tokens: 1_000,
        })
    }

    /// Workers to be killed over the run.
    pub(crate) fn victims(&self) -> usize {
        self.kills.iter().map(|kill| kill.victims.len()).sum()
    }

    /// The command that makes the same run again.
    pub(crate) fn command(&self) -> String {
        let mut command = format!("bulkhead prove --profile {}", self.profile.name());
        if self.duration != self.profile.duration() {
            command += &format!(" --duration {}", format_duration(self.duration));
        }
        if self.kill_interval != self.profile.kill_interval() {
            command += &format!(" --kill-interval {}", format_duration(self.kill_interval));
        }
        if let Some(rate) = self.rate {
            command += &format!(" --rate {rate}");
        }
        command += &format!(
            " --workers {} --connections {} --seed {}",
            self.workers, self.connections, self.seed
        );
        if !self.jwt {
            command += " --no-jwt";
        }
        command
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "profile {}: {} of {:.0} % HTTP/2 + {:.0} % gRPC, {} kills of 15 % of {} workers every {}, seed {}",
            self.profile.name(),
            format_duration(self.duration),
            HTTP2_SHARE * 100.0,
            (1.0 - HTTP2_SHARE) * 100.0,
            self.kills.len(),
            self.workers,
            format_duration(self.kill_interval),
            self.seed,
        )
    }

    /// Options of a load over this stage.
    pub(crate) fn load(
        &self,
        address: std::net::SocketAddr,
        arrivals: Arrivals,
        duration: Duration,
    ) -> LoadOptions {
        let target = TargetOptions {
            connections: self.connections,
            connection_life: Some(CONNECTION_LIFE),
            streams_max: STREAMS_MAX,
            ..TargetOptions::new(address, Protocol::Http2)
        };
        LoadOptions {
            timeout: REQUEST_TIMEOUT,
            classes: CLASSES.map(Class::new).to_vec(),
            ..LoadOptions::new(target, arrivals, duration)
        }
    }

    /// Options of the held requests: a closed loop on connections of its own.
    pub(crate) fn held(&self, address: std::net::SocketAddr) -> LoadOptions {
        let arrivals = Arrivals::Closed { in_flight: HELD, think: Duration::ZERO };
        let mut options = self.load(address, arrivals, self.duration);
        options.classes = vec![Class::new(HELD_CLASS)];
        for target in &mut options.targets {
            target.connections = HELD;
        }
        options
    }

    /// Arrivals at a rate: Poisson, as from many independent clients.
    pub(crate) fn arrivals(&self, rate: f64) -> Arrivals {
        Arrivals::Open(Schedule::constant(rate, Process::Poisson, self.seed).with_tick(TICK))
    }
}

fn seed_from_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| bulkhead_chaos::Random::new(now.as_nanos() as u64).below(1_000_000_000))
}
