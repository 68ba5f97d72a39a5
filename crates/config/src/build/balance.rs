//! Algorithms, affinity, zones and subsets, and what of them only shows between clusters and routes.

use std::collections::{BTreeMap, HashSet};

use crate::diagnostic::{Report, quote_name};
use crate::model::{
    AffinityCookie, Balance, Cluster, HashSource, Locality, Maglev, RingHash, Route, Subset,
};
use crate::value::{Item, TableValue};

pub(super) fn balance(table: &TableValue, report: &mut Report<'_>) -> Balance {
    if let Some(algorithm) = table.table("balance") {
        return match algorithm.table("maglev") {
            Some(maglev) => Balance::Maglev(self::maglev(maglev, report)),
            None => algorithm
                .table("ring_hash")
                .map_or_else(Balance::default, |ring| Balance::RingHash(ring_hash(ring, report))),
        };
    }
    match table.text("balance") {
        Some("round_robin") => Balance::RoundRobin,
        Some("random") => Balance::Random,
        Some("peak_ewma") => Balance::PeakEwma,
        Some("ring_hash") => Balance::RingHash(RingHash::default()),
        Some("maglev") => Balance::Maglev(Maglev::default()),
        _ => Balance::LeastRequest,
    }
}

fn ring_hash(table: &TableValue, report: &mut Report<'_>) -> RingHash {
    let default = RingHash::default();
    let ring = RingHash {
        size_min: table.number("minimum_ring_size").unwrap_or(default.size_min),
        size_max: table.number("maximum_ring_size").unwrap_or(default.size_max),
        load_max_percent: table.number("hash_balance_factor"),
    };
    if let Some(item) = table.get("maximum_ring_size")
        && ring.size_max < ring.size_min
    {
        report.error(item.span, "the ring's most points are fewer than its fewest").remedy(
            "make `minimum_ring_size` (1024 unless given) no more than `maximum_ring_size`",
        );
    }
    ring
}

fn maglev(table: &TableValue, report: &mut Report<'_>) -> Maglev {
    let default = Maglev::default();
    let table_size = table.number("table_size").unwrap_or(default.table_size);
    if let Some(item) = table.get("table_size")
        && !is_prime(table_size)
    {
        let found = report.error(item.span, format!("{table_size} is not a prime number"));
        if let Some(next) = (table_size..).find(|&number| is_prime(number)) {
            found.suggest(next.to_string());
        }
    }
    Maglev { table_size, load_max_percent: table.number("hash_balance_factor") }
}

fn is_prime(number: u32) -> bool {
    let mut divisors =
        (2..).take_while(|divisor| u64::from(divisor * divisor) <= u64::from(number));
    number >= 2 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

pub(super) fn hash_on(table: &TableValue, report: &mut Report<'_>) -> Vec<HashSource> {
    let items = table.list("hash_on");
    let sources =
        items.iter().filter_map(|item| hash_source(item.table()?, report)).collect::<Vec<_>>();
    let cookie = sources.iter().position(|source| matches!(source, HashSource::Cookie(_)));
    if let Some(after) = cookie.and_then(|position| items.get(position + 1)) {
        report
            .warning(after.span, "this is never looked at: who has no cookie is given one")
            .remedy("put the cookie last");
    }
    sources
}

fn hash_source(table: &TableValue, report: &mut Report<'_>) -> Option<HashSource> {
    if let Some(name) = table.string("header") {
        return Some(HashSource::Header(name));
    }
    if let Some(name) = table.string("query_param") {
        return Some(HashSource::QueryParam(name));
    }
    if table.flag("source_ip") {
        return Some(HashSource::SourceIp);
    }
    let cookie = table.table("cookie")?;
    if let Some(item) = cookie.get("path").filter(|item| item.text().contains(';')) {
        report.error(item.span, "the path of a cookie cannot have a `;` in it");
    }
    Some(HashSource::Cookie(AffinityCookie {
        name: cookie.string("name")?,
        ttl: cookie.duration("ttl"),
        path: cookie.string("path").unwrap_or_else(|| "/".to_owned()),
    }))
}

pub(super) fn locality(table: &TableValue) -> Locality {
    let default = Locality::default();
    let percent = table.number("overprovisioning_factor");
    Locality {
        prefer_local: table.flag("prefer_local"),
        local_endpoints_min: table
            .number("local_endpoints_min")
            .unwrap_or(default.local_endpoints_min),
        overprovisioning_percent: percent.unwrap_or(default.overprovisioning_percent),
        spill_over_requests: table.number("spill_over_requests"),
    }
}

pub(super) fn labels(table: &TableValue, key: &str) -> BTreeMap<String, String> {
    table.pairs(key).into_iter().collect()
}

/// The subset that a backend asks for.
pub(super) fn subset(table: &TableValue, report: &mut Report<'_>) -> Option<Subset> {
    let labels = labels(table, "subset");
    if labels.is_empty() {
        if let Some(item) = table.get("subset_fallback").filter(|item| item.text() == "any") {
            report.warning(item.span, "this has no effect without `subset`");
        }
        return None;
    }
    Some(Subset { labels, fall_back: table.text("subset_fallback") == Some("any") })
}

/// Affinity in a cluster that does not go by hash would do nothing.
pub(super) fn check_clusters(
    clusters: &BTreeMap<String, Cluster>,
    entries: &[(Item, Item)],
    report: &mut Report<'_>,
) {
    for (key, item) in entries {
        let Some(cluster) = clusters.get(key.text()) else { continue };
        if let Some(item) = item.table().and_then(|table| table.get("hash_on"))
            && !cluster.balance.by_hash()
        {
            report
                .error(item.span, "nothing is hashed: `balance` does not go by hash")
                .remedy("write `balance: maglev` or `balance: ring_hash`");
        }
    }
}

/// What routes ask of clusters that these cannot give.
pub(super) fn check_routes(
    routes: &[Route],
    clusters: &BTreeMap<String, Cluster>,
    items: &[Item],
    report: &mut Report<'_>,
) {
    let tables = items.iter().filter_map(Item::table);
    for (route, table) in routes.iter().zip(tables) {
        let named = route.backends.iter().filter_map(|backend| clusters.get(&backend.cluster));
        let hashes = named.clone().any(|cluster| cluster.balance.by_hash());
        if let Some(item) = table.get("hash_on")
            && named.count() > 0
            && !hashes
        {
            report
                .error(item.span, "nothing is hashed: none of the route's clusters goes by hash")
                .remedy("give a cluster `balance: maglev` or `balance: ring_hash`");
        }
        check_subsets(route, table, clusters, report);
    }
}

fn check_subsets(
    route: &Route,
    table: &TableValue,
    clusters: &BTreeMap<String, Cluster>,
    report: &mut Report<'_>,
) {
    let mut told = HashSet::new();
    let tables = table.list("backends").iter().filter_map(Item::table);
    let items = tables.filter(|table| !table.map("subset").is_empty());
    let items = items.filter_map(|table| table.get("subset"));
    let subsets = route.backends.iter().filter_map(|one| Some((one, one.subset.as_ref()?)));
    for ((backend, subset), item) in subsets.zip(items) {
        let Some(cluster) = clusters.get(&backend.cluster) else { continue };
        let has_all = |labels: &BTreeMap<String, String>| {
            subset.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
        };
        let known = cluster.discovery.is_some()
            || cluster.endpoints.iter().any(|endpoint| has_all(&endpoint.labels));
        if !known && told.insert((&backend.cluster, &subset.labels)) {
            let name = quote_name(&backend.cluster);
            report
                .warning(item.span, format!("no endpoint of the cluster {name} has these labels"))
                .remedy("give some `labels` with the same names and values");
        }
    }
}
