use super::*;

fn args(listen: &str, secret_file: Option<PathBuf>, allowed: &[&str]) -> AgentArgs {
    AgentArgs {
        listen: listen.parse().unwrap(),
        secret_file,
        allowed: allowed.iter().map(|&text| text.to_owned()).collect(),
    }
}

fn error_of(args: &AgentArgs) -> String {
    let build = |_: &Job| anyhow::bail!("no job");
    format!("{:#}", start(args, 0.05, build).unwrap_err())
}

#[test]
fn an_agent_is_not_open_to_the_network() {
    let error = error_of(&args("0.0.0.0:0", None, &[]));
    assert!(error.contains("without a secret") && error.contains("--secret-file"), "{error}");
}

#[test]
fn what_is_wrong_with_the_flags_is_told() {
    let error = error_of(&args("127.0.0.1:0", None, &["10.0.0.0/40"]));
    assert!(error.contains("--allow-target: `10.0.0.0/40` is no target"), "{error}");

    let path = std::env::temp_dir().join(format!("bulkhead-secret-{}", std::process::id()));
    let error = error_of(&args("0.0.0.0:0", Some(path.clone()), &[]));
    assert!(error.contains("read the secret"), "{error}");
    std::fs::write(&path, b"short\n").unwrap();
    let error = error_of(&args("0.0.0.0:0", Some(path.clone()), &[]));
    assert!(error.contains("this one has 5") && !error.contains("short"), "{error}");
    std::fs::write(&path, b"long enough to be one\n").unwrap();
    let build = |_: &Job| anyhow::bail!("no job");
    let agent = start(&args("127.0.0.1:0", Some(path.clone()), &[]), 0.05, build).unwrap();
    assert_ne!(agent.address().port(), 0);
    std::fs::remove_file(&path).unwrap();
}
