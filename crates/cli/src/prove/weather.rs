//! What the link of a storm does to packets: unit, direction and base of each figure, and what follows
//! from them.

use std::time::Duration;

use bulkhead_chaos::{
    Delay, Direction, Distribution, Loss, LossModel, NetworkFault, Per, ReorderPolicy,
};
use bulkhead_lab::LinkKind;

/// A delay that was drawn serves the packets of so many milliseconds: with a draw for each packet, a
/// link that keeps its order would show little but its longest delays.
const HOLD_MS: f64 = 10.0;
const LOSS_PERCENT_MAX: f64 = 50.0;
const DELAY_MAX: Duration = Duration::from_secs(2);

/// Where the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Place {
    /// Between the clients and the gateway.
    Client,
    /// Between the gateway and the upstreams.
    Upstream,
    /// There is none: all over loopback.
    None,
}

impl Place {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::None => "none",
        }
    }
}

/// The link and its faults, as declared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weather {
    pub(crate) place: Place,
    /// Of the packets in each direction, independently of each other.
    pub(crate) loss_percent: f64,
    /// Middle of the delays, of packets towards the server; answers are not delayed.
    pub(crate) delay: Duration,
    /// Delays are spread evenly over `delay ± jitter`, and packets keep their order.
    pub(crate) jitter: Duration,
    /// `None`: the kernel's default.
    pub(crate) congestion_control: Option<String>,
    /// What the ends of the link are.
    pub(crate) kind: LinkKind,
}

impl Weather {
    /// What a link does where nothing says otherwise: the article's 12 % and 40 ± 40 ms.
    pub(crate) const fn at(place: Place) -> Self {
        Self {
            place,
            loss_percent: 12.0,
            delay: Duration::from_millis(40),
            jitter: Duration::from_millis(40),
            congestion_control: None,
            kind: LinkKind::Tun,
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// Why it does not, for flags and files alike.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=LOSS_PERCENT_MAX).contains(&self.loss_percent) {
            return Err(format!(
                "the loss must be 0 to {LOSS_PERCENT_MAX} % of the packets in each direction"
            ));
        }
        if self.jitter > self.delay {
            return Err(format!(
                "a jitter of {} ms around a delay of {} ms would ask for delays below 0: make the delay at \
                 least as long as the jitter",
                self.jitter.as_millis(),
                self.delay.as_millis()
            ));
        }
        if self.delay > DELAY_MAX {
            return Err(format!("the delay must be at most {} s", DELAY_MAX.as_secs()));
        }
        if self.faults().is_empty() {
            return Err("a link without loss and delay shows nothing".to_owned());
        }
        Ok(())
    }

    /// Share of the packets of a direction that is lost, 0 to 1.
    pub(crate) fn loss(&self) -> f64 {
        self.loss_percent / 100.0
    }

    /// Share of round trips, a packet and its answer, of which one is lost; in percent.
    pub(crate) fn round_trip_loss_percent(&self) -> f64 {
        100.0 * (1.0 - (1.0 - self.loss()).powi(2))
    }

    /// The faults, for the packet box.
    pub(crate) fn faults(&self) -> Vec<NetworkFault> {
        let loss = (self.loss_percent > 0.0).then_some(NetworkFault::Loss(Loss {
            direction: Some(Direction::Both),
            per: Some(Per::Direction),
            model: LossModel::Bernoulli { percent: self.loss_percent },
        }));
        let has_jitter = !self.jitter.is_zero();
        let delay = (!self.delay.is_zero()).then_some(NetworkFault::Delay(Delay {
            direction: Some(Direction::Upstream),
            per: None,
            base_ms: milliseconds(self.delay),
            jitter_ms: milliseconds(self.jitter),
            distribution: has_jitter.then_some(Distribution::Uniform),
            reorder: has_jitter.then_some(ReorderPolicy::Preserve),
            hold_ms: if has_jitter { HOLD_MS } else { 0.0 },
        }));
        loss.into_iter().chain(delay).collect()
    }

    /// Each figure with unit, direction and base.
    pub(crate) fn describe(&self) -> String {
        let (from, to) = match self.place {
            Place::Upstream => ("gateway", "upstream"),
            Place::Client | Place::None => ("client", "gateway"),
        };
        format!(
            "link {from}–{to}: {} % of the packets lost in each direction, which is {:.1} % of round \
             trips; {} ± {} ms of delay, even, from {from} to {to} alone, drawn anew every {HOLD_MS} ms, \
             order kept; packets of at most 1,500 bytes",
            self.loss_percent,
            self.round_trip_loss_percent(),
            milliseconds(self.delay),
            milliseconds(self.jitter),
        )
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_with_unit_direction_and_base() {
        let text = Weather::at(Place::Client).describe();
        for part in
            ["client–gateway", "12 % of the packets lost in each direction", "22.6 %", "40 ± 40 ms"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_fault_is_one_that_the_box_takes() {
        let article = Weather::at(Place::Client);
        let still = Weather { jitter: Duration::ZERO, ..article.clone() };
        for weather in [&article, &still] {
            assert!(weather.check().is_ok());
            assert_eq!(weather.faults().len(), 2);
            assert!(weather.faults().iter().all(|fault| fault.check().is_ok()));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let article = Weather::at(Place::Client);
        let none = Duration::ZERO;
        for weather in [
            Weather { delay: Duration::from_millis(39), ..article.clone() },
            Weather { loss_percent: 51.0, ..article.clone() },
            Weather { loss_percent: f64::NAN, ..article.clone() },
            Weather { loss_percent: 0.0, delay: none, jitter: none, ..article.clone() },
            Weather { delay: Duration::from_secs(3), ..article },
        ] {
            assert!(weather.check().is_err(), "{weather:?}");
        }
    }
}
