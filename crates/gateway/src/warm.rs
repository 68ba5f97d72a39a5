//! Connections that a cluster wants open before a request needs one.

use crate::worker::Worker;

impl Worker {
    /// Dials what `preconnect` asks for. For each tick of the housekeeping: at the start, and after a
    /// connection was lost.
    pub(crate) fn preconnect(&mut self) {
        if self.draining {
            return;
        }
        for id in self.clusters.ids() {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            if cluster.entry.settings.preconnect == 0 {
                continue;
            }
            for endpoint in cluster.pool.take_warm_dials(self.now, &mut self.rng) {
                // Whoever waits is told by their own dial; the next tick tries again.
                let _ = self.dial(id, endpoint);
            }
        }
    }
}
