//! What is going to be done: the flags with every default filled in.

use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_chaos::{Kill, KillPlan};
use bulkhead_load::{Arrivals, Class, LoadOptions, Process, Protocol, Schedule, TargetOptions};

use super::against::PeerName;
use super::args::{ProveArgs, format_duration};
use super::profile::Profile;
use super::weather::{Place, Weather, milliseconds};

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
/// Behind a link that loses their packets connections take seconds to come up, and live longer.
const CONNECTION_LIFE_ON_LINK: Duration = Duration::from_secs(60);
/// A request without its whole answer after so long has failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The same with a link: time-outs of TCP double with each loss in a row, and a client that gives up
/// while the kernel still tries would blame the gateway for the weather.
const REQUEST_TIMEOUT_ON_LINK: Duration = Duration::from_secs(60);
/// Connections of the flood, and their mean life.
const FLOOD_CONNECTIONS: usize = 64;
const FLOOD_CONNECTION_LIFE: Duration = Duration::from_millis(200);
/// Name of the flood's requests.
pub(crate) const FLOOD_CLASS: &str = "flood";
/// Faults of the link outlast the measured part by this much at most: calibration and margins.
const LINK_MARGIN: Duration = Duration::from_secs(10 * 60);
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
    /// `None`: no link.
    pub(crate) weather: Option<Weather>,
    /// Who else goes through the same storm.
    pub(crate) against: Vec<PeerName>,
}

impl Plan {
    pub(crate) fn resolve(args: &ProveArgs) -> anyhow::Result<Self> {
        let shape = args.profile.shape();
        let duration = args.duration.unwrap_or(shape.duration);
        let kill_interval = args.kill_interval.unwrap_or(shape.kill_interval);
        let weather = weather(args)?;
        ensure!(
            !(shape.flood && args.no_jwt),
            "the flood of --profile {} is told from other callers by its tokens: leave --no-jwt out",
            args.profile.name()
        );
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
            connections: usize::from(args.connections.unwrap_or(shape.connections)),
            rate: args.rate,
            seed,
            jwt: !args.no_jwt,
            tokens: 1_000,
            weather,
            against: args.against.clone(),
        })
    }

    /// Workers to be killed over the run.
    pub(crate) fn victims(&self) -> usize {
        self.kills.iter().map(|kill| kill.victims.len()).sum()
    }

    /// The command that makes the same run again.
    pub(crate) fn command(&self) -> String {
        let mut command = format!("bulkhead prove --profile {}", self.profile.name());
        let shape = self.profile.shape();
        if self.duration != shape.duration {
            command += &format!(" --duration {}", format_duration(self.duration));
        }
        if self.kill_interval != shape.kill_interval {
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
        match &self.weather {
            Some(weather) => command += &link_flags(weather),
            None if shape.link != Place::None => command += " --link none",
            None => {}
        }
        if !self.against.is_empty() {
            let names: Vec<_> = self.against.iter().map(|peer| peer.name()).collect();
            command += &format!(" --against {}", names.join(","));
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
        let mut options = self.load(address, arrivals, self.duration);
        options.classes = vec![Class::new(HELD_CLASS)];
        for target in &mut options.targets {
            target.connections = HELD;
        }
        options
    }

    /// Options of the flood: as many requests as the others send, on connections that hardly live.
    pub(crate) fn flood(&self, address: std::net::SocketAddr) -> LoadOptions {
        let arrivals = self.arrivals(self.rate.unwrap_or(1.0));
        let mut options = self.load(address, arrivals, self.duration);
        options.classes = vec![Class::new(FLOOD_CLASS)];
        for target in &mut options.targets {
            target.connections = FLOOD_CONNECTIONS;
            target.connection_life = Some(FLOOD_CONNECTION_LIFE);
        }
        options
    }

    pub(crate) const fn connection_life(&self) -> Duration {
        if self.weather.is_some() { CONNECTION_LIFE_ON_LINK } else { CONNECTION_LIFE }
    }

    pub(crate) const fn request_timeout(&self) -> Duration {
        if self.weather.is_some() { REQUEST_TIMEOUT_ON_LINK } else { REQUEST_TIMEOUT }
    }

    /// How long the link keeps its faults if nobody takes them back.
    pub(crate) fn link_lifetime(&self) -> Duration {
        self.duration + LINK_MARGIN
    }

    /// Memory is counted from here on: connections are open by then, buffers have their size.
    pub(crate) fn warm_up(&self) -> Duration {
        let tenth = self.duration / 10;
        tenth.clamp(*WARM_UP.start(), *WARM_UP.end()).min(self.duration / 4)
    }

    /// Arrivals at a rate: Poisson, as from many independent clients.
    pub(crate) fn arrivals(&self, rate: f64) -> Arrivals {
        Arrivals::Open(Schedule::constant(rate, Process::Poisson, self.seed).with_tick(TICK))
    }
}

/// The profile's link with what the flags say. A figure of a link without `--link` asks for one.
fn weather(args: &ProveArgs) -> anyhow::Result<Option<Weather>> {
    let figures = args.loss.is_some() || args.delay.is_some() || args.jitter.is_some();
    let place = args.link.unwrap_or_else(|| args.profile.shape().link);
    if place == Place::None {
        ensure!(
            !figures && args.congestion.is_none(),
            "--loss, --delay, --jitter and --congestion are about a link, and there is none: add \
             --link client or --link upstream"
        );
        return Ok(None);
    }
    let default = args.profile.weather();
    let weather = Weather {
        place,
        loss_percent: args.loss.unwrap_or(default.loss_percent),
        delay: args.delay.unwrap_or(default.delay),
        jitter: args.jitter.unwrap_or(default.jitter),
        congestion_control: args.congestion.clone(),
    };
    weather.check()?;
    Ok(Some(weather))
}

/// The flags that declare a link.
fn link_flags(weather: &Weather) -> String {
    let mut flags = format!(
        " --link {} --loss {} --delay {}ms --jitter {}ms",
        weather.place.name(),
        weather.loss_percent,
        milliseconds(weather.delay),
        milliseconds(weather.jitter),
    );
    if let Some(congestion_control) = &weather.congestion_control {
        flags += &format!(" --congestion {congestion_control}");
    }
    flags
}

fn seed_from_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| bulkhead_chaos::Random::new(now.as_nanos() as u64).below(1_000_000_000))
}

#[cfg(test)]
mod tests;
