//! Metrics as a gateway's admin server tells them: Prometheus' text format, as far as it is needed to add
//! series up.

/// A series: its labels as they stand (`code="503"`), and its value.
pub type MetricSeries<'p> = (Vec<&'p str>, f64);

/// All series of this name on a page.
pub fn metric_series<'p>(page: &'p str, name: &str) -> impl Iterator<Item = MetricSeries<'p>> {
    page.lines().filter(move |line| line.starts_with(name)).filter_map(move |line| {
        let (series, value) = split_value(line)?;
        let (series_name, labels) = parse(series)?;
        (series_name == name).then_some(())?;
        Some((labels, value.parse().ok()?))
    })
}

/// The sum of all series that fit `name` or `name{label="value",…}`. A counter without such a series has
/// counted nothing yet: 0, if the page declares it. Nothing if there is no such metric.
pub fn metric_sum(page: &str, wanted: &str) -> Option<f64> {
    let (name, labels) = parse(wanted)?;
    let fits = |series: &Vec<&str>| labels.iter().all(|label| series.contains(label));
    metric_series(page, name)
        .filter(|(series, _)| fits(series))
        .map(|(_, value)| value)
        .reduce(|sum, value| sum + value)
        .or_else(|| counts(page, name).then_some(0.0))
}

/// Whether the page declares a counter of this name, or a histogram that it is a part of.
fn counts(page: &str, name: &str) -> bool {
    let parts = ["_count", "_sum", "_bucket"];
    let histogram = parts.iter().find_map(|part| name.strip_suffix(part));
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).any(|declared| {
        match declared.trim_end().rsplit_once(' ') {
            Some((family, "counter")) => family == name,
            Some((family, "histogram")) => histogram == Some(family),
            _ => false,
        }
    })
}

/// `name{…} value [timestamp]`. A label's value may hold spaces and braces.
fn split_value(line: &str) -> Option<(&str, &str)> {
    let end = match line.rfind('}') {
        Some(brace) => brace + 1,
        None => line.find(' ')?,
    };
    let (series, rest) = line.split_at(end);
    Some((series, rest.split_ascii_whitespace().next()?))
}

/// Name and labels as they stand: `code="503"`.
fn parse(series: &str) -> Option<(&str, Vec<&str>)> {
    let Some((name, rest)) = series.split_once('{') else { return Some((series, Vec::new())) };
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let open = rest.find('"')? + 1;
        let close = open + closing_quote(&rest[open..])?;
        labels.push(rest[..=close].trim());
        rest = rest[close + 1..].trim_start_matches([',', ' ']);
    }
    Some((name, labels))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::metric_sum;

    #[test]
    fn series_that_fit_are_added() {
        let page = "# HELP requests How many.\nrequests{code=\"200\",route=\"a, \\\"b\\\" }\"} 7\n\
             requests{code=\"503\",route=\"x\"} 2 1700000000\nrequests{code=\"503\",route=\"y\"} 3\n\
             requests_total 99\nworkers 4\nnothing{} 1e3\n";
        assert_eq!(metric_sum(page, "requests"), Some(12.0));
        assert_eq!(metric_sum(page, "requests{code=\"503\"}"), Some(5.0));
        assert_eq!(metric_sum(page, "requests{route=\"y\",code=\"503\"}"), Some(3.0));
        assert_eq!(metric_sum(page, "requests{route=\"a, \\\"b\\\" }\"}"), Some(7.0));
        assert_eq!(metric_sum(page, "workers"), Some(4.0));
        assert_eq!(metric_sum(page, "nothing"), Some(1_000.0));
        for missing in ["worker", "requests{code=\"404\"}", "requests{code", "{", ""] {
            assert_eq!(metric_sum(page, missing), None, "{missing}");
        }
    }

    #[test]
    fn what_has_not_happened_yet_is_counted_as_nothing() {
        let page = "# TYPE requests_total counter\nrequests_total{code=\"200\"} 7\n\
             # TYPE retries_total counter\n# TYPE seconds histogram\n# TYPE healthy gauge\n";
        for never in ["requests_total{code=\"503\"}", "retries_total", "seconds_count"] {
            assert_eq!(metric_sum(page, never), Some(0.0), "{never}");
        }
        assert_eq!(metric_sum(page, "requests_total"), Some(7.0));
        // Of a gauge nothing is known, and of what is not there neither.
        for unknown in ["healthy{cluster=\"a\"}", "requests", "retries", "seconds"] {
            assert_eq!(metric_sum(page, unknown), None, "{unknown}");
        }
    }
}
