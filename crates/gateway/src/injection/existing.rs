//! What a fault names, held against what there is: a slip of the pen must not become a fault that is in
//! force and strikes nobody.
//!
//! It is asked once, when a fault is put. A reload that takes a name away later leaves the fault as it is, and
//! it strikes nobody until there is such a name again.

use bulkhead_chaos::GatewayFault;
use bulkhead_chaos::http::HttpScope;
use bulkhead_config::document::{nearest, words};
use bulkhead_message::Address;

/// Names that are told where none is near: whoever has more looks at the configuration.
const TOLD_MAX: usize = 8;

/// What can be named, of the configuration in force.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// Listeners, and whether they have exchanges: others pass bytes on.
    pub(crate) listeners: Vec<(String, bool)>,
    pub(crate) routes: Vec<String>,
    /// Clusters with the endpoints that they have by now, however they were found.
    pub(crate) clusters: Vec<(String, Vec<Address>)>,
    pub(crate) providers: Vec<String>,
    /// Workers, which have numbers from 0.
    pub(crate) workers: usize,
}

impl Existing {
    /// Whether what these conditions name is there.
    ///
    /// # Errors
    /// What is not, and what was probably meant.
    pub(crate) fn check_scope(&self, scope: &HttpScope) -> Result<(), String> {
        if let Some(name) = &scope.listener {
            check("listener", name, self.listeners.iter().map(|(name, _)| name.as_str()))?;
            if self.listeners.iter().any(|(known, exchanges)| known == name && !exchanges) {
                return Err(format!(
                    "the listener `{name}` passes bytes on: there are no exchanges that a fault \
                     could befall"
                ));
            }
        }
        if let Some(name) = &scope.route {
            check("route", name, self.routes.iter().map(String::as_str))?;
        }
        self.check_cluster(scope.cluster.as_deref())?;
        // What is no address is told of when the rule is made.
        match scope.endpoint.as_ref().map(|text| text.parse::<Address>()) {
            Some(Ok(address)) => self.check_endpoint(&address, scope.cluster.as_deref()),
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Whether what a fault of the gateway itself names is there. Workers that are to be killed are looked for
    /// when that is done.
    ///
    /// # Errors
    /// What is not, and what was probably meant.
    pub(crate) fn check_own(&self, fault: &GatewayFault) -> Result<(), String> {
        match fault {
            GatewayFault::StallWorker { worker } if *worker >= self.workers => Err(format!(
                "there is no worker {worker}; they are numbered 0 to {}",
                self.workers.saturating_sub(1)
            )),
            GatewayFault::ShrinkPools { cluster, .. }
            | GatewayFault::ExpireCertificates { cluster, .. } => {
                self.check_cluster(cluster.as_deref())
            }
            GatewayFault::RotateJwtKeys { provider: Some(name) } => {
                check("JWT provider", name, self.providers.iter().map(String::as_str))
            }
            _ => Ok(()),
        }
    }

    fn check_cluster(&self, cluster: Option<&str>) -> Result<(), String> {
        let names = self.clusters.iter().map(|(name, _)| name.as_str());
        cluster.map_or(Ok(()), |name| check("cluster", name, names))
    }

    /// `cluster`: the one that it is to be an endpoint of.
    fn check_endpoint(&self, address: &Address, cluster: Option<&str>) -> Result<(), String> {
        let clusters =
            self.clusters.iter().filter(|(name, _)| cluster.is_none_or(|wanted| name == wanted));
        let known: Vec<&Address> = clusters.flat_map(|(_, endpoints)| endpoints).collect();
        if known.contains(&address) {
            return Ok(());
        }
        let what = match cluster {
            Some(cluster) => format!("endpoint of the cluster `{cluster}`"),
            None => "endpoint".to_owned(),
        };
        let texts: Vec<String> = known.iter().map(ToString::to_string).collect();
        check(&what, &address.to_string(), texts.iter().map(String::as_str))
    }
}

fn check<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), String> {
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let told = known.clone().take(TOLD_MAX).map(str::to_owned);
    Err(match (nearest(name, known.clone()), known.count()) {
        (Some(near), _) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        (None, 0) => format!("there is no {what} `{name}`, nor any other"),
        (None, 1..=TOLD_MAX) => format!("there is no {what} `{name}`; expected is {}", words(told)),
        (None, _) => format!("there is no {what} `{name}`"),
    })
}

#[cfg(test)]
mod tests;
