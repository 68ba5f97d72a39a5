//! Parts of the lab, and of what it strikes, killed at random steps.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bulkhead_chaos::Random;
use rustix::process::{Pid, Signal, kill_process};

use super::Ground;
use super::probe::{self, Process};

/// Changes of state that an injection goes through, from `intended` to `reverted`.
const STEPS: u64 = 9;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// The lab itself, which ends its links, guardian and children too.
    Lab,
    /// A gateway that may be struck at the moment.
    Gateway,
    /// The process that holds a link.
    Link,
    /// The process that looks after stopped ones.
    Guardian,
    /// A child of the lab that carries a fault of the host.
    Carrier,
    /// A process that may be struck at the moment.
    Target,
}

/// One of these is drawn: the lab as often as all that it starts together.
const VICTIMS: [Victim; 8] = [
    Victim::Lab,
    Victim::Lab,
    Victim::Lab,
    Victim::Gateway,
    Victim::Link,
    Victim::Guardian,
    Victim::Carrier,
    Victim::Target,
];
/// Steps that are waited for what was drawn to be there; then it is the lab.
const WAIT_STEPS_MAX: u64 = 200;
/// Longest time after a step, in microseconds.
const STEP_US: u64 = 20_000;
/// What the seed of kills differs by from that of orders.
const KILLS: u64 = 0x4b49_4c4c;

impl Victim {
    const fn name(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Gateway => "gateway",
            Self::Link => "link",
            Self::Guardian => "guardian",
            Self::Carrier => "carrier",
            Self::Target => "target",
        }
    }

    /// Whether an injection of this kind may fail because of it.
    fn matters_to(self, kind: &str) -> bool {
        let family = kind.split('.').next().unwrap_or_default();
        match self {
            Self::Lab => true,
            Self::Gateway => matches!(family, "gateway" | "http"),
            // Wires of the bench are not of that process.
            Self::Link => family == "network" && !kind.contains('@'),
            Self::Guardian => kind == "process.stop",
            Self::Carrier => family == "host",
            Self::Target => matches!(family, "process" | "host"),
        }
    }
}

/// What was killed so far.
#[derive(Default)]
pub(super) struct Kills {
    state: Mutex<State>,
    rest: Condvar,
}

#[derive(Default)]
struct State {
    begun: Vec<Victim>,
    ended: usize,
}

impl Kills {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, victim: Victim) {
        self.state().begun.push(victim);
    }

    fn end(&self) {
        let mut state = self.state();
        state.ended = state.begun.len();
        self.rest.notify_all();
    }

    /// Those that are over, and what was killed is there again.
    pub(super) fn ended(&self) -> usize {
        self.state().ended
    }

    /// Whether anything was killed since then.
    pub(super) fn any(&self, since: usize) -> bool {
        self.state().begun.len() > since
    }

    /// Whether anything was killed since then without which an injection of this kind may fail.
    pub(super) fn disturbed(&self, kind: &str, since: usize) -> bool {
        self.state().begun[since..].iter().any(|victim| victim.matters_to(kind))
    }

    /// Waits until what was killed is there again.
    pub(super) fn wait_for_rest(&self) {
        let mut state = self.state();
        while state.ended < state.begun.len() {
            state = self.rest.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many of what.
    pub(super) fn told(&self) -> Vec<(&'static str, usize)> {
        let state = self.state();
        let mut told: Vec<(&'static str, usize)> = Vec::new();
        for victim in &state.begun {
            match told.iter_mut().find(|(name, _)| *name == victim.name()) {
                Some((_, count)) => *count += 1,
                None => told.push((victim.name(), 1)),
            }
        }
        told
    }
}

/// Kills so many times while injections go on, and looks each time for what is left: what was seen.
pub(super) fn run(
    ground: &Ground,
    injections: u64,
    kills: u64,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<Vec<String>> {
    let mut random = Random::new(ground.seed ^ KILLS);
    // A little more often than it would come out even, as some steps are over when the last is due.
    let apart = (injections * STEPS * 4 / 5 / kills.max(1)).max(1);
    let (mut due, mut left) = (0, Vec::new());
    for _ in 0..kills {
        due += 1 + random.below(2 * apart);
        if !ground.lab.steps.wait_until(due, &is_over) {
            break;
        }
        let victim = VICTIMS[random.below(VICTIMS.len() as u64) as usize];
        let chance = random.next();
        let mut killed = false;
        for step in 1..=WAIT_STEPS_MAX {
            // Not only between two steps.
            thread::sleep(Duration::from_micros(random.below(STEP_US)));
            killed = kill(ground, victim, chance)?;
            if killed || !ground.lab.steps.wait_until(due + step, &is_over) {
                break;
            }
        }
        if !killed {
            kill(ground, Victim::Lab, chance)?;
        }
        // Those that are under way end first, and none begins.
        let _alone = ground.gate.write();
        left.extend(probe::quiet(ground)?);
    }
    Ok(left)
}

/// Whether there was such a thing at the moment.
fn kill(ground: &Ground, victim: Victim, chance: u64) -> anyhow::Result<bool> {
    let lab = ground.lab.pid();
    let is_it = |it: &Process| match victim {
        Victim::Link => it.is_role("hold-link"),
        Victim::Guardian => it.is_role("guardian") && it.parent == lab,
        Victim::Target => it.is_role("guardian") && it.parent == std::process::id(),
        Victim::Carrier => it.is_role("carry"),
        Victim::Lab | Victim::Gateway => false,
    };
    let of = |count: usize| usize::try_from(chance).unwrap_or_default() % count.max(1);
    let killed = match victim {
        Victim::Lab => {
            ground.kills.begin(victim);
            ground.lab.kill()
        }
        Victim::Gateway => {
            ground.kills.begin(victim);
            ground.gateways[of(ground.gateways.len())].kill()
        }
        _ => {
            let those: Vec<Process> = probe::processes().into_iter().filter(is_it).collect();
            let Some(it) = those.get(of(those.len())) else { return Ok(false) };
            ground.kills.begin(victim);
            let pid = i32::try_from(it.pid).ok().and_then(Pid::from_raw);
            // It may have ended by itself.
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            Ok(())
        }
    };
    ground.kills.end();
    killed.map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::{Kills, Victim};

    #[test]
    fn a_kill_disturbs_what_depends_on_it_while_it_lasts() {
        let kills = Kills::default();
        let before = kills.ended();
        assert!(!kills.any(before) && !kills.disturbed("network.loss", before));
        kills.begin(Victim::Link);
        assert!(kills.disturbed("network.loss", before));
        assert!(!kills.disturbed("http.abort", before) && kills.any(before));
        // What begins while it is under way may be struck too.
        assert!(kills.disturbed("network.loss", kills.ended()));
        kills.end();
        assert!(!kills.any(kills.ended()));
        kills.begin(Victim::Lab);
        assert!(kills.disturbed("http.abort", before));
        assert_eq!(kills.told(), [("link", 1), ("lab", 1)]);
    }
}
