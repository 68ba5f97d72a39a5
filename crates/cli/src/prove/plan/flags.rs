//! Flags and profile: what a flag changes, and the flags that say the same again.

use anyhow::ensure;

use crate::prove::args::{ProveArgs, format_duration};
use crate::prove::profile::{KillRounds, Profile};
use crate::prove::weather::{Place, Weather, milliseconds};

/// The profile with what the flags say.
pub(super) fn with_flags(mut profile: Profile, args: &ProveArgs) -> anyhow::Result<Profile> {
    profile.link = link(profile.link.take(), args)?;
    profile.duration = args.duration.unwrap_or(profile.duration);
    profile.workers = args.workers.unwrap_or(profile.workers);
    if let Some(every) = args.kill_interval {
        let kills = profile.kills.get_or_insert_with(|| KillRounds::every(every));
        kills.every = every;
    }
    let traffic = &mut profile.traffic;
    traffic.connections = args.connections.unwrap_or(traffic.connections);
    traffic.rate = args.rate.or(traffic.rate);
    traffic.jwt &= !args.no_jwt;
    ensure!(
        traffic.jwt || !traffic.flood,
        "the flood of --profile {} is told from other callers by its tokens: leave --no-jwt out",
        args.profile
    );
    for timed in &profile.faults {
        ensure!(
            timed.ends() < profile.duration,
            "{} of --profile {} would not be over after {}: make --duration longer",
            timed.fault.kind(),
            args.profile,
            format_duration(profile.duration)
        );
    }
    Ok(profile)
}

/// The profile's link with what the flags say. A figure of a link without `--link` asks for one.
fn link(declared: Option<Weather>, args: &ProveArgs) -> anyhow::Result<Option<Weather>> {
    let figures = args.loss.is_some() || args.delay.is_some() || args.jitter.is_some();
    let none = declared.as_ref().map_or(Place::None, |weather| weather.place);
    let place = args.link.unwrap_or(none);
    if place == Place::None {
        ensure!(
            !figures && args.congestion.is_none() && args.link_kind.is_none(),
            "--loss, --delay, --jitter, --congestion and --link-kind are about a link, and there is none: \
             add --link client or --link upstream"
        );
        return Ok(None);
    }
    let declared = declared.unwrap_or_else(|| Weather::at(place));
    let weather = Weather {
        place,
        loss_percent: args.loss.unwrap_or(declared.loss_percent),
        delay: args.delay.unwrap_or(declared.delay),
        jitter: args.jitter.unwrap_or(declared.jitter),
        congestion_control: args.congestion.clone().or(declared.congestion_control),
        kind: args.link_kind.unwrap_or(declared.kind),
    };
    weather.check().map_err(anyhow::Error::msg)?;
    Ok(Some(weather))
}

/// The flags that declare a link.
pub(super) fn link_flags(weather: &Weather) -> String {
    let mut flags = format!(
        " --link {} --link-kind {} --loss {} --delay {}ms --jitter {}ms",
        weather.place.name(),
        weather.kind.name().to_ascii_lowercase(),
        weather.loss_percent,
        milliseconds(weather.delay),
        milliseconds(weather.jitter),
    );
    if let Some(congestion_control) = &weather.congestion_control {
        flags += &format!(" --congestion {congestion_control}");
    }
    flags
}
