//! What is going to be done: the profile with what the flags say.

mod flags;

use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_chaos::{Kill, KillPlan};
use bulkhead_load::{Arrivals, Class, LoadOptions, Process, Protocol, Schedule, TargetOptions};

use super::against::PeerName;
use super::args::{ProveArgs, format_duration};
use super::profile::{KillRounds, Profile, Source};
use flags::{link_flags, with_flags};

/// Time left after the last kill, to see the workers come back and the traffic go on.
const LAST_KILL_MARGIN: Duration = Duration::from_millis(1_500);
/// Requests are released in ticks of so long.
const TICK: Duration = Duration::from_micros(500);
/// Streams that a client uses on one connection at most.
const STREAMS_MAX: usize = 100;
/// Mean life of a client connection. Clients come and go, so that killed workers have fresh
/// connections again, and new ones arrive while workers die.
pub(crate) const CONNECTION_LIFE: Duration = Duration::from_secs(5);
/// Behind a link that loses their packets connections take seconds to come up, and live longer.
const CONNECTION_LIFE_ON_LINK: Duration = Duration::from_secs(60);
/// A request without its whole answer after so long has failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The same with a link: time-outs of TCP double with each loss in a row, and a client that gives up
/// while the kernel still tries would blame the gateway for the weather.
const REQUEST_TIMEOUT_ON_LINK: Duration = Duration::from_secs(60);
/// Gateways wait at least so long: ours and the others alike.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long every gateway waits for a connection to an upstream: several losses in a row of its SYN.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of the flood, and their mean life.
const FLOOD_CONNECTIONS: usize = 64;
const FLOOD_CONNECTION_LIFE: Duration = Duration::from_millis(200);
/// Name of the flood's requests.
pub(crate) const FLOOD_CLASS: &str = "flood";
/// Latest and earliest end of the warm-up of memory.
const WARM_UP: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(2)..=Duration::from_secs(30);
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
    /// Where its profile is.
    pub(crate) source: Source,
    /// The profile, as it stands there.
    pub(crate) declared: Profile,
    /// The profile, with what the flags say.
    pub(crate) profile: Profile,
    pub(crate) kills: Vec<Kill>,
    pub(crate) seed: u64,
    /// Signed tokens in the pool.
    pub(crate) tokens: usize,
    /// Who else goes through the same storm.
    pub(crate) against: Vec<PeerName>,
}

impl Plan {
    pub(crate) fn resolve(args: &ProveArgs) -> anyhow::Result<Self> {
        let declared = args.profile.read()?;
        let profile = with_flags(declared.clone(), args)?;
        let seed = args.seed.unwrap_or_else(seed_from_clock);
        Ok(Self {
            source: args.profile.clone(),
            kills: kills(&profile, seed)?,
            declared,
            profile,
            seed,
            tokens: 1_000,
            against: args.against.clone(),
        })
    }

    /// Workers to be killed over the run.
    pub(crate) fn victims(&self) -> usize {
        self.kills.iter().map(|kill| kill.victims.len()).sum()
    }

    /// The command that makes the same run again.
    pub(crate) fn command(&self) -> String {
        if self.against.is_empty() {
            return self.storm();
        }
        let names: Vec<_> = self.against.iter().map(|peer| peer.name()).collect();
        format!("{} --against {}", self.storm(), names.join(","))
    }

    /// The command that makes the same storm again, whoever is in it.
    pub(crate) fn storm(&self) -> String {
        let mut command = format!("bulkhead prove --profile {}", self.source);
        let (declared, profile) = (&self.declared, &self.profile);
        if profile.duration != declared.duration {
            command += &format!(" --duration {}", format_duration(profile.duration));
        }
        if let Some(kills) = profile.kills.filter(|kills| Some(*kills) != declared.kills) {
            command += &format!(" --kill-interval {}", format_duration(kills.every));
        }
        if let Some(rate) = profile.traffic.rate {
            command += &format!(" --rate {rate}");
        }
        command += &format!(
            " --workers {} --connections {} --seed {}",
            profile.workers, profile.traffic.connections, self.seed
        );
        if declared.traffic.jwt && !profile.traffic.jwt {
            command += " --no-jwt";
        }
        match &profile.link {
            Some(weather) => command += &link_flags(weather),
            None if declared.link.is_some() => command += " --link none",
            None => {}
        }
        command
    }

    pub(crate) fn describe(&self) -> String {
        let Profile { duration, workers, traffic, .. } = &self.profile;
        let kills = self.profile.kills.map_or_else(String::new, |kills| {
            format!(
                ", {} kills of {:.0} % of {workers} workers every {}",
                self.kills.len(),
                100.0 * kills.share,
                format_duration(kills.every),
            )
        });
        let faults = match self.profile.faults.len() {
            0 => String::new(),
            1 => ", 1 more fault".to_owned(),
            count => format!(", {count} more faults"),
        };
        format!(
            "profile {}: {} of {:.0} % HTTP/2 + {:.0} % gRPC{kills}{faults}, seed {}",
            self.source,
            format_duration(*duration),
            traffic.http2_share * 100.0,
            (1.0 - traffic.http2_share) * 100.0,
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
            connections: self.profile.traffic.connections.into(),
            connection_life: Some(self.connection_life()),
            streams_max: STREAMS_MAX,
            ..TargetOptions::new(address, Protocol::Http2)
        };
        LoadOptions {
            timeout: self.request_timeout(),
            classes: CLASSES.map(Class::new).to_vec(),
            ..LoadOptions::new(target, arrivals, duration)
        }
    }

    /// Options of the held requests: a closed loop on connections of its own.
    pub(crate) fn held(&self, address: std::net::SocketAddr) -> LoadOptions {
        let arrivals = Arrivals::Closed { in_flight: HELD, think: Duration::ZERO };
        let mut options = self.load(address, arrivals, self.profile.duration);
        options.classes = vec![Class::new(HELD_CLASS)];
        for target in &mut options.targets {
            target.connections = HELD;
        }
        options
    }

    /// Options of the flood: as many requests as the others send, on connections that hardly live.
    pub(crate) fn flood(&self, address: std::net::SocketAddr) -> LoadOptions {
        let arrivals = self.arrivals(self.rate());
        let mut options = self.load(address, arrivals, self.profile.duration);
        options.classes = vec![Class::new(FLOOD_CLASS)];
        for target in &mut options.targets {
            target.connections = FLOOD_CONNECTIONS;
            target.connection_life = Some(FLOOD_CONNECTION_LIFE);
        }
        options
    }

    /// Requests per second; found by now.
    pub(crate) fn rate(&self) -> f64 {
        self.profile.traffic.rate.unwrap_or(1.0)
    }

    pub(crate) fn connection_life(&self) -> Duration {
        let [without, with] = [CONNECTION_LIFE, CONNECTION_LIFE_ON_LINK];
        let usual = if self.profile.link.is_some() { with } else { without };
        self.profile.traffic.connection_life.unwrap_or(usual)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        let [without, with] = [REQUEST_TIMEOUT, REQUEST_TIMEOUT_ON_LINK];
        let usual = if self.profile.link.is_some() { with } else { without };
        self.profile.traffic.timeout.unwrap_or(usual)
    }

    /// How long every gateway waits for what a link may hold up: heads, answers, readers that are slow,
    /// connections without work. The client gives up first.
    pub(crate) fn patience(&self) -> Duration {
        let patience = self.request_timeout().max(PATIENCE);
        // Some of the others know whole seconds alone.
        Duration::from_secs(patience.as_secs_f64().ceil() as u64)
    }

    /// Memory is counted from here on: connections are open by then, buffers have their size.
    pub(crate) fn warm_up(&self) -> Duration {
        let Profile { duration, .. } = self.profile;
        (duration / 10).clamp(*WARM_UP.start(), *WARM_UP.end()).min(duration / 4)
    }

    /// Arrivals at a rate: Poisson, as from many independent clients.
    pub(crate) fn arrivals(&self, rate: f64) -> Arrivals {
        Arrivals::Open(Schedule::constant(rate, Process::Poisson, self.seed).with_tick(TICK))
    }
}

/// The rounds of kills that fit into the run.
fn kills(profile: &Profile, seed: u64) -> anyhow::Result<Vec<Kill>> {
    let Some(KillRounds { every, share }) = profile.kills else { return Ok(Vec::new()) };
    let plan = KillPlan { interval: every, share, workers: profile.workers.into(), seed };
    let kills = plan.rounds_within(profile.duration, LAST_KILL_MARGIN).context("plan the kills")?;
    ensure!(
        !kills.is_empty(),
        "no worker would be killed: a duration of {} leaves no room for a kill every {} with {} to \
         recover; make --duration longer or --kill-interval shorter",
        format_duration(profile.duration),
        format_duration(every),
        format_duration(LAST_KILL_MARGIN),
    );
    Ok(kills)
}

fn seed_from_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| bulkhead_chaos::Random::new(now.as_nanos() as u64).below(1_000_000_000))
}

#[cfg(test)]
mod tests;
