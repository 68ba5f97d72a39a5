use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

fn args(line: &str) -> RunArgs {
    match Cli::parse_from(line.split_whitespace()).command {
        Command::Run(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_line_overrides_the_configuration() {
    let args = args(
        "bulkhead run --listen 127.0.0.1:0 --upstream h2c://127.0.0.1:1 --workers 3 --admin 127.0.0.1:9",
    );
    let applied = configuration(&args).unwrap();
    assert_eq!((applied.origin.as_str(), applied.source.is_none()), ("command line", true));
    assert_eq!(applied.config.admin, None);
    let config = with_overrides(applied.config, &args);
    assert_eq!(config.workers, Some(3));
    assert_eq!(config.admin.map(|admin| admin.address), Some(([127, 0, 0, 1], 9).into()));
}

#[test]
fn wrong_upstream_and_missing_file_are_errors() {
    for (line, expected) in [
        ("bulkhead run --listen 127.0.0.1:0 --upstream ftp://127.0.0.1", "h2c"),
        (
            "bulkhead run --config /nonexistent/gateway.yaml",
            "read configuration `/nonexistent/gateway.yaml`",
        ),
    ] {
        let error = configuration(&args(line)).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}
