//! Three namespaces: two with an agent each, and one with the origin that both have a link to.

use std::process::Command;

/// The origin's address, on the hub's loopback, so that both agents reach it by the same.
const ORIGIN: &str = "198.18.0.1";
/// The agents' addresses; the hub's end of each link is one less.
const AGENTS: [&str; 2] = ["198.18.1.2", "198.18.2.2"];
const HUB_ENDS: [&str; 2] = ["198.18.1.1", "198.18.2.1"];

/// Namespaces with names of this process alone. Dropping it removes them, and the links with them.
#[derive(Debug)]
pub(crate) struct Network {
    hub: String,
    agents: [String; 2],
}

impl Network {
    /// `Err`: why there can be none here.
    pub(crate) fn new() -> Result<Self, String> {
        let id = std::process::id();
        let root = rustix::process::geteuid().is_root();
        if !root {
            return Err("network namespaces need root".to_owned());
        }
        ip("-V").map_err(|error| format!("iproute2 is missing: {error}"))?;
        let network = Self {
            hub: format!("bulkhead-hub-{id}"),
            agents: ["a", "b"].map(|letter| format!("bulkhead-{letter}-{id}")),
        };
        // From here on, what was made is removed by the drop.
        network.make().map_err(|error| format!("no network namespaces here: {error}"))?;
        // What could be made can be configured, or this test is wrong.
        network.configure().unwrap();
        Ok(network)
    }

    fn make(&self) -> Result<(), String> {
        let hub = &self.hub;
        ip(&format!("netns add {hub}"))?;
        for (index, agent) in self.agents.iter().enumerate() {
            ip(&format!("netns add {agent}"))?;
            ip(&format!("-n {hub} link add to{index} type veth peer name hub netns {agent}"))?;
        }
        Ok(())
    }

    fn configure(&self) -> Result<(), String> {
        let hub = &self.hub;
        ip(&format!("-n {hub} link set lo up"))?;
        ip(&format!("-n {hub} addr add {ORIGIN}/32 dev lo"))?;
        for (index, agent) in self.agents.iter().enumerate() {
            let (address, hub_end) = (AGENTS[index], HUB_ENDS[index]);
            ip(&format!("-n {hub} addr add {hub_end}/30 dev to{index}"))?;
            ip(&format!("-n {hub} link set to{index} up"))?;
            ip(&format!("-n {agent} addr add {address}/30 dev hub"))?;
            ip(&format!("-n {agent} link set lo up"))?;
            ip(&format!("-n {agent} link set hub up"))?;
            ip(&format!("-n {agent} route add default via {hub_end}"))?;
        }
        Ok(())
    }

    pub(crate) fn hub(&self) -> &str {
        &self.hub
    }

    /// Namespace and address of each agent.
    pub(crate) fn agents(&self) -> [(&str, &str); 2] {
        [0, 1].map(|index| (self.agents[index].as_str(), AGENTS[index]))
    }

    /// Where the origin is to listen. Its namespace is nobody else's, so any port is free.
    pub(crate) fn origin(&self) -> String {
        format!("{ORIGIN}:9000")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.agents.iter().chain([&self.hub]) {
            let _never_made = ip(&format!("netns del {namespace}"));
        }
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("run ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
