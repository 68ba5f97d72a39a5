use clap::Parser as _;

use super::*;

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
        "prove --profile soak --no-jwt --kill-interval 5s",
    ] {
        let plan = resolve(line).unwrap();
        let again = resolve(&plan.command()).unwrap();
        assert_eq!((&again.kills, again.seed), (&plan.kills, plan.seed), "{line}");
        assert_eq!((&again.weather, again.rate), (&plan.weather, plan.rate), "{line}");
        assert_eq!((again.connections, again.workers), (plan.connections, plan.workers), "{line}");
        assert_eq!((&again.against, again.jwt), (&plan.against, plan.jwt), "{line}");
        assert_eq!(again.command(), plan.command());
    }
}

#[test]
fn the_article_kills_15_percent_every_30_seconds_behind_its_link() {
    let plan = resolve("prove --profile article --workers 20 --seed 1").unwrap();
    assert_eq!(plan.kills.len(), 29);
    assert!(plan.kills.iter().all(|kill| kill.victims.len() == 3));
    let weather = plan.weather.unwrap();
    assert_eq!((weather.place, weather.loss_percent), (Place::Client, 12.0));
    assert!(resolve("prove").unwrap().weather.is_none());
    assert!(resolve("prove --profile article --link none").unwrap().weather.is_none());
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (line, told) in [
        ("prove --loss 5", "add --link client"),
        ("prove --link client --jitter 50ms", "at least as long as the jitter"),
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
