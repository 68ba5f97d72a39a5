use clap::Parser as _;

use super::*;
use crate::prove::weather::Place;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: ProveArgs,
}

fn resolve(line: &str) -> anyhow::Result<Plan> {
    let words = line.split_whitespace().filter(|word| *word != "bulkhead");
    Plan::resolve(&Line::try_parse_from(words)?.args)
}

#[test]
fn the_command_of_the_report_makes_the_same_plan() {
    for line in [
        "prove --seed 5",
        "prove --profile article --seed 5 --workers 20",
        "prove --profile article --seed 5 --link none --rate 100 --against nginx,go",
        "prove --link upstream --loss 2.5 --delay 20ms --jitter 0 --congestion cubic --seed 1 --duration 9s",
        "prove --link client --link-kind veth --seed 1",
        "prove --profile soak --no-jwt --kill-interval 5s",
    ] {
        let plan = resolve(line).unwrap();
        let again = resolve(&plan.command()).unwrap();
        assert_eq!((&again.kills, again.seed), (&plan.kills, plan.seed), "{line}");
        assert_eq!((&again.profile, &again.against), (&plan.profile, &plan.against), "{line}");
        assert_eq!(again.command(), plan.command());
    }
}

#[test]
fn a_built_in_profile_that_was_printed_makes_the_same_plan() {
    let scratch = bulkhead_testkit::Scratch::new();
    for name in ["quick", "standard", "article", "soak", "ddos"] {
        let file = scratch.write("p.yaml", Source::built_in(name).unwrap().text().unwrap());
        let from_file = resolve(&format!("prove --seed 3 --profile {}", file.display())).unwrap();
        let built_in = resolve(&format!("prove --seed 3 --profile {name}")).unwrap();
        assert_eq!(from_file.profile, built_in.profile);
        assert_eq!(from_file.kills, built_in.kills);
        assert!(from_file.command().contains("p.yaml"), "{}", from_file.command());
    }
}

#[test]
fn flags_change_what_a_file_says() {
    let scratch = bulkhead_testkit::Scratch::new();
    let text = "duration: 20s\nlink: {at: upstream, loss_percent: 3}\n\
                faults: [{at: 5s, fault: {gateway: {slow_log: {delay_ms: 5}}}}]\n";
    let file = scratch.write("p.yaml", text);
    let with = |flags: &str| resolve(&format!("prove --profile {} {flags}", file.display()));
    let plan = with("--loss 4 --workers 5 --kill-interval 2s --no-jwt").unwrap();
    let link = plan.profile.link.unwrap();
    assert_eq!((link.place, link.loss_percent, link.delay), (Place::Upstream, 4.0, Duration::ZERO));
    assert_eq!((plan.profile.workers, plan.profile.traffic.jwt), (5, false));
    assert_eq!(plan.profile.kills, Some(KillRounds::every(Duration::from_secs(2))));
    assert!(with("").unwrap().kills.is_empty());
    let error = with("--duration 15s").unwrap_err().to_string();
    assert!(
        error.contains("gateway.slow_log") && error.contains("make --duration longer"),
        "{error}"
    );
}

#[test]
fn the_article_kills_15_percent_every_30_seconds_behind_its_link() {
    let plan = resolve("prove --profile article --workers 20 --seed 1").unwrap();
    assert_eq!(plan.kills.len(), 29);
    assert!(plan.kills.iter().all(|kill| kill.victims.len() == 3));
    let weather = plan.profile.link.unwrap();
    assert_eq!((weather.place, weather.loss_percent), (Place::Client, 12.0));
    assert!(resolve("prove").unwrap().profile.link.is_none());
    assert!(resolve("prove --profile article --link none").unwrap().profile.link.is_none());
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (line, told) in [
        ("prove --loss 5", "add --link client"),
        ("prove --link client --jitter 50ms", "least as long as the jitter"),
        ("prove --profile ddos --no-jwt", "leave --no-jwt out"),
        ("prove --duration 500ms", "no worker would be killed"),
    ] {
        let error = resolve(line).unwrap_err().to_string();
        assert!(error.contains(told), "{line}: {error}");
    }
}

#[test]
fn memory_is_counted_after_a_warm_up() {
    for (seconds, warm_up) in [(4, 1), (20, 2), (60, 6), (900, 30)] {
        let plan = resolve(&format!("prove --duration {seconds}s --kill-interval 1s")).unwrap();
        assert_eq!(plan.warm_up(), Duration::from_secs(warm_up));
    }
}
