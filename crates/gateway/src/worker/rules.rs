//! The rules of run time, as far as a worker has to do with them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Worker;
use crate::clock;

/// How often a worker that hangs looks whether it still is to.
const STALL_SLICE: Duration = Duration::from_millis(50);

impl Worker {
    /// Puts the current rules in force here.
    pub(crate) fn take_rules(&mut self) {
        let (table, version) = self.shared.injections.table();
        let pools_change = table.pools != self.injected.pools;
        let any_ended = self.injected.rules.iter().any(|rule| rule.has_ended(self.now));
        self.injected = table;
        if any_ended {
            self.lift_faults();
        }
        if pools_change {
            self.limit_pools();
        }
        self.tell_time();
        self.slot.rules_version.store(version, Ordering::Relaxed);
        self.hang();
    }

    /// Ends the rules whose time is over, whoever else is alive to do so.
    pub(super) fn sweep_rules(&mut self) {
        let ended = self.shared.injections.sweep(self.now);
        if ended
            || self.slot.rules_version.load(Ordering::Relaxed) != self.shared.injections.version()
        {
            self.take_rules();
        }
    }

    /// Does nothing for as long as a fault says: no look at sockets, timers or mail.
    fn hang(&mut self) {
        let index = self.slot.index;
        let stalls = self.injected.stalls.clone();
        for stall in stalls.iter().filter(|stall| stall.worker == index) {
            if !stall.has_ended(clock::now()) {
                stall.begin();
            }
            while !stall.has_ended(clock::now()) && !self.slot.killed.load(Ordering::Relaxed) {
                std::thread::sleep(STALL_SLICE);
            }
        }
        self.now = clock::now();
    }

    /// Gives the pools the limits of their configuration, or those of faults if they are lower.
    pub(crate) fn limit_pools(&mut self) {
        for id in self.clusters.ids() {
            let Some(state) = self.clusters.get_mut(id) else { continue };
            let name = &state.entry.config.name;
            let limits = self.injected.pools.iter();
            let least = limits
                .filter(|limit| limit.cluster.as_ref().is_none_or(|cluster| cluster == name))
                .map(|limit| limit.connections_max)
                .min();
            let mut settings = state.entry.settings.clone();
            settings.connections_max =
                settings.connections_max.min(least.unwrap_or(settings.connections_max));
            state.pool.update_settings(&settings, self.now);
        }
    }

    /// Looks at the time of day, which a fault may have put off.
    pub(crate) fn tell_time(&mut self) {
        let offset_s = self.shared.injections.levers.clock_offset_s.load(Ordering::Relaxed);
        let unix = clock::unix();
        let offset = Duration::from_secs(offset_s.unsigned_abs());
        let unix = if offset_s < 0 { unix.saturating_sub(offset) } else { unix + offset };
        self.unix_s = unix.as_secs();
        self.date.update(unix);
    }
}
