use bulkhead_config::Diagnostics;

use super::{Environment, parse};
use crate::document::Syntax;
use crate::model::Experiment;

struct Fake;

impl Environment for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SET").then(|| "value".to_owned())
    }
    fn is_executable(&self, path: &str) -> bool {
        path != "missing"
    }
}

fn validate(text: &str) -> Result<Experiment, Diagnostics> {
    parse(text, "experiment.yaml", Syntax::Yaml, &Fake).map(|(experiment, _)| experiment)
}

/// What is wrong with an experiment that has this beside what it needs.
#[track_caller]
fn refused(more: &str, message: &str) {
    let method = if more.contains("method:") { "" } else { "method: []\n" };
    let text = format!("title: t\ndescription: d\n{method}{more}\n");
    match validate(&text) {
        Ok(_) => panic!("{more}\nis valid"),
        Err(error) => assert!(error.to_string().contains(message), "{more}\n{error}"),
    }
}

#[track_caller]
fn activity(activity: &str, message: &str) {
    refused(&format!("method: [{activity}]"), message);
}

#[track_caller]
fn tolerance(tolerance: &str, message: &str) {
    let probe = "{type: probe, name: p, provider: {type: http, url: u}, tolerance: ";
    refused(
        &format!("steady-state-hypothesis: {{title: h, probes: [{probe}{tolerance}}}]}}"),
        message,
    );
}

#[test]
fn an_experiment_has_title_description_and_method() {
    assert!(validate("title: t\ndescription: d\nmethod: []").is_ok());
    for (text, message) in [
        ("description: d\nmethod: []", "needs a title"),
        ("title: ''\ndescription: d\nmethod: []", "needs a title"),
        ("title: t\nmethod: []", "needs a description"),
        ("title: t\ndescription: d", "needs a method"),
        ("title: t\ndescription: d\nmethod: ~", "needs a method"),
        ("[]", "is a mapping"),
        ("", "is empty"),
    ] {
        let error = validate(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    refused("tags: [a, '']", "tag is a text");
    refused("tags: [1]", "tag is a text");
    refused("extensions: [{name: ' '}]", "needs a name");
    refused("configuration: {a: {type: env, key: UNSET}}", "`UNSET` is not set");
    refused("secrets: {g: {a: {type: env, key: UNSET}}}", "`UNSET` is not set");
    refused("secrets: {g: {a: {type: vault, path: x}}}", "Vault");
    refused("runtime: {rollbacks: {strategy: alway}}", "did you mean `always`");
}

#[test]
fn activities_are_checked() {
    activity("{}", "is a mapping");
    activity("{type: x, name: a, provider: {type: http, url: u}}", "`probe` or `action`");
    activity("{type: action, provider: {type: http, url: u}}", "needs a name");
    activity("{type: action, name: a}", "needs a provider");
    activity("{type: action, name: a, provider: {type: ftp}}", "such type of provider");
    activity("{type: action, name: a, provider: {type: http}}", "needs a URL");
    activity(
        "{type: action, name: a, provider: {type: http, url: u, headers: [a]}}",
        "mapping of names",
    );
    activity("{type: action, name: a, provider: {type: process}}", "needs a path");
    activity("{type: action, name: a, provider: {type: process, path: missing}}", "no program");
    activity("{type: action, name: a, provider: {type: python, func: f}}", "needs a module");
    activity(
        "{type: action, name: a, provider: {type: python, module: os, func: f}}",
        "is not run here",
    );
    activity("{ref: nobody}", "no activity `nobody`");
    activity("{ref: ''}", "no activity");
    let rest = "type: action, name: a, provider: {type: http, url: u}";
    activity(&format!("{{{rest}, background: 'yes'}}"), "`true` or `false`");
    activity(&format!("{{{rest}, pauses: {{before: soon}}}}"), "number of seconds");
    activity(&format!("{{{rest}, timeout: soon}}"), "is a number");
    activity(&format!("{{{rest}, controls: [{{provider: {{}}}}]}}"), "control needs a name");
    let controls = "controls: [{name: c, provider: {}, scope: during}]";
    activity(&format!("{{{rest}, {controls}}}"), "`before` or `after`");
    activity(&format!("{{{rest}, controls: [{{name: c, ref: d, provider: {{}}}}]}}"), "no control");
    assert!(
        validate(&format!(
            "title: t\ndescription: d\nmethod: [{{{rest}, pauses: {{after: '${{p}}'}}}}, {{ref: a}}]"
        ))
        .is_ok()
    );
}

#[test]
fn tolerances_are_checked() {
    for fits in [
        "1",
        "true",
        "text",
        "[1, 2]",
        "{type: regex, pattern: a}",
        "{type: jsonpath, path: $.a}",
        "{type: range, range: [1, 2.5]}",
    ] {
        let probe = format!(
            "{{type: probe, name: p, provider: {{type: http, url: u}}, tolerance: {fits}}}"
        );
        let text = format!(
            "title: t\ndescription: d\nmethod: []\nsteady-state-hypothesis: {{title: h, probes: [{probe}]}}"
        );
        assert!(validate(&text).is_ok(), "{fits}");
    }
    tolerance("1.5", "decimal number");
    tolerance("~", "is no tolerance");
    tolerance("{type: other}", "one of these types");
    tolerance("{type: regex}", "needs a `pattern`");
    tolerance("{type: regex, pattern: '('}", "pattern is wrong");
    tolerance("{type: regex, pattern: 1}", "pattern is a text");
    tolerance("{type: jsonpath}", "needs a `path`");
    tolerance("{type: jsonpath, path: ' '}", "not empty");
    tolerance("{type: jsonpath, path: 'a.b'}", "begins with `$`");
    tolerance("{type: range}", "needs a `range`");
    tolerance("{type: range, range: [1]}", "two numbers");
    tolerance("{type: range, range: [a, 2]}", "two numbers");
    tolerance("{type: probe, name: p}", "needs a provider");
    refused(
        "steady-state-hypothesis: {title: h, probes: [{type: probe, name: p, provider: {type: http, url: u}}]}",
        "needs a tolerance",
    );
    refused("steady-state-hypothesis: {probes: []}", "hypothesis needs a title");
}

#[test]
fn faults_of_the_lab_are_checked_before_anything_is_broken() {
    let call = |function: &str, arguments: &str| {
        format!(
            "{{type: action, name: a, provider: {{type: python, module: chaosbulkhead.actions, \
             func: {function}, arguments: {arguments}}}}}"
        )
    };
    let target = "target: {gateway: {admin: '127.0.0.1:9901'}}";
    activity(&call("injekt", "{}"), "did you mean `inject`");
    activity(&call("inject", "{}"), "needs the argument `fault`");
    activity(
        &call("inject", &format!("{{fault: {{gateway: {{kil: {{}}}}}}, {target}}}")),
        "no such fault",
    );
    let fault = "fault: {gateway: {kill_worker: {worker: 0}}}";
    activity(&call("inject", &format!("{{{fault}}}")), "either `target` or `targets`");
    let unclear = "fault: {network: {loss: {model: {bernoulli: {percent: 12}}}}}";
    activity(&call("inject", &format!("{{{unclear}, {target}}}")), "the fault is not clear");
    let unclear = "fault: {gateway: {panic_exchanges: {count: 0}}}";
    activity(&call("inject", &format!("{{{unclear}, {target}}}")), "`count` is 1 to 10000");
    let unclear = "fault: {http: {abort: {status: 503}, percent: 101}}";
    activity(&call("inject", &format!("{{{unclear}, {target}}}")), "no such fault");
    let unclear = "fault: {host: {cpu: {threads: 0}}}, target: host";
    activity(
        &call("inject", &format!("{{{unclear}}}")),
        "the fault is not clear: threads must be 1 to 1024",
    );
    let long = call("inject", &format!("{{{fault}, {target}, ttl: 16m}}"));
    let errors = validate(&format!("title: t\ndescription: d\nmethod: [{long}]")).unwrap_err();
    assert!(errors.0.len() == 1 && errors.0[0].message == "at most 900 s are possible", "{errors}");
    activity(&call("inject", &format!("{{{fault}, {target}, ttl: 0}}")), "without a life");
    activity(&call("inject", &format!("{{{fault}, {target}, for: 1s}}")), "no argument `for`");
    let labels = "labels: {environment: 1}";
    activity(&call("inject", &format!("{{{fault}, {target}, {labels}}}")), "labels are texts");
    let many = "targets: [{target: host}], blast_radius: {count: 1}, labels: {a: b}";
    activity(&call("inject", &format!("{{{fault}, {many}}}")), "labels` of its own");
    let approval = "approval: ann";
    activity(
        &call("inject", &format!("{{{fault}, {target}, {approval}}}")),
        "no id of an approval",
    );
    let fits = call(
        "inject",
        &format!(
            "{{{fault}, {target}, ttl: '${{ttl}}', labels: {{environment: production}}, \
             approval: '${{approval}}'}}"
        ),
    );
    assert!(validate(&format!("title: t\ndescription: d\nmethod: [{fits}]")).is_ok());
}

#[test]
fn the_extension_is_checked_and_read() {
    let probes = "steady-state-hypothesis: {title: h, probes: [{type: probe, name: ok, tolerance: 1, provider: {type: http, url: u}}]}";
    let with = |extension: &str| format!("{probes}\nextensions: [{{name: bulkhead, {extension}}}]");
    let text = format!(
        "title: t\ndescription: d\nmethod: []\n{}",
        with(
            "seed: 42, ttl: 30s, blast_radius: {percent: 15, rounding: stochastic, min_survivors: 1}, \
             abort: [{probe: ok, for: 1s}], recovery: 10s"
        )
    );
    let extension = validate(&text).unwrap().extension;
    assert_eq!(extension.seed, Some(42));
    assert_eq!(extension.time_to_live.as_secs(), 30);
    assert_eq!(extension.recovery.as_secs(), 10);
    assert_eq!(extension.abort.len(), 1);
    for (wrong, message) in [
        ("sede: 1", "did you mean `seed`"),
        ("seed: -1", "whole number"),
        ("ttl: 1h", "at most 900 s"),
        ("blast_radius: {}", "either `percent` or `count`"),
        ("blast_radius: {percent: 200}", "over 0 and up to 100"),
        ("blast_radius: {percent: 10, rounding: up}", "`ceil`, `floor` or `stochastic`"),
        ("abort: [{probe: no}]", "no probe of this name"),
        ("abort: [{for: 1s}]", "names a probe"),
        ("recovery: soon", "no length of time"),
    ] {
        refused(&with(wrong), message);
    }
}

#[test]
fn errors_are_told_together_with_place_and_remedy() {
    let error =
        validate("titel: t\ndescription: d\nmethod:\n- type: probe\n  name: p\n").unwrap_err();
    let text = error.to_string();
    assert_eq!(error.0.len(), 2, "{text}");
    assert_eq!((error.0[1].line, error.0[1].column), (4, 3), "{text}");
    assert!(error.0[1].path.starts_with("method[0]"), "{text}");
    assert!(error.0.iter().all(|found| found.remedy.is_some()), "{text}");
}

#[test]
fn a_fault_has_a_target_that_there_may_be() {
    let inject = |target: &str| {
        format!(
            "{{type: action, name: a, provider: {{type: python, module: chaosbulkhead.actions, func: inject, \
             arguments: {{fault: {{process: stop}}, target: {target}}}}}}}"
        )
    };
    for (target, message) in [
        ("{process: {}}", "a process is named by"),
        ("{process: {start_time: 1}}", "a process is named by"),
        ("{process: {port: 80, start_time: 1}}", "`start_time` belongs to a `pid`"),
        ("{process: {pdi: 1}}", "there is no such target"),
        ("{process: {port: 80000}}", "there is no such target"),
        ("{gateway: {admin: here}}", "there is no such target"),
        ("everything", "there is no such target"),
    ] {
        activity(&inject(target), message);
    }
    for target in ["host", "{process: {port: 80}}", "{process: {pid: \"${pid}\"}}", "\"${where}\""]
    {
        let text = format!("title: t\ndescription: d\nmethod: [{}]\n", inject(target));
        assert!(validate(&text).is_ok(), "{target}");
    }
}
