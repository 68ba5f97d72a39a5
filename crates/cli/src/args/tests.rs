use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

#[test]
fn command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[track_caller]
fn parse(line: &str) -> Result<Command, ErrorKind> {
    Cli::try_parse_from(line.split_whitespace())
        .map(|cli| cli.command)
        .map_err(|error| error.kind())
}

#[test]
fn what_is_refused() {
    for (line, kind) in [
        ("bulkhead", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("bulkhead runn", ErrorKind::InvalidSubcommand),
        ("bulkhead run", ErrorKind::MissingRequiredArgument),
        ("bulkhead run --listen 127.0.0.1:1", ErrorKind::MissingRequiredArgument),
        ("bulkhead run --upstream http://a", ErrorKind::MissingRequiredArgument),
        (
            "bulkhead run --config a --listen 127.0.0.1:1 --upstream http://a",
            ErrorKind::ArgumentConflict,
        ),
        ("bulkhead run --config a --workers 0", ErrorKind::ValueValidation),
        ("bulkhead run --config a --workers 1000000", ErrorKind::ValueValidation),
        ("bulkhead run --config a --admin nowhere", ErrorKind::ValueValidation),
        ("bulkhead run --config a --log-level loud", ErrorKind::InvalidValue),
        ("bulkhead check", ErrorKind::MissingRequiredArgument),
        ("bulkhead check --schema a", ErrorKind::ArgumentConflict),
        ("bulkhead completions", ErrorKind::MissingRequiredArgument),
        ("bulkhead completions tcsh", ErrorKind::InvalidValue),
        ("bulkhead run --help", ErrorKind::DisplayHelp),
        ("bulkhead --version", ErrorKind::DisplayVersion),
    ] {
        assert_eq!(parse(line).err(), Some(kind), "{line}");
    }
}

#[test]
fn run_takes_a_file_or_an_upstream() {
    let Ok(Command::Run(args)) = parse("bulkhead run -c gateway.yaml --workers 3") else {
        panic!("it is valid");
    };
    assert_eq!((args.config, args.workers), (Some("gateway.yaml".into()), Some(3)));
    assert_eq!((args.log_level, args.log_format), (LogLevel::Info, LogFormat::Plain));
    let Ok(Command::Run(args)) = parse(
        "bulkhead run --listen [::1]:0 --upstream h2c://a:1 --allow-faults --log-format json",
    ) else {
        panic!("it is valid");
    };
    assert_eq!(args.upstream.as_deref(), Some("h2c://a:1"));
    assert_eq!(args.listen, Some(([0, 0, 0, 0, 0, 0, 0, 1], 0).into()));
    assert!(args.allow_faults && args.log_format == LogFormat::Json);
}

#[test]
fn every_command_has_examples() {
    let mut told = 0;
    let mut commands = vec![Cli::command()];
    while let Some(mut command) = commands.pop() {
        let help = command.render_long_help().to_string();
        let has_some = help.contains("Example:") || help.contains("Examples:");
        assert!(has_some, "{}: {help}", command.get_name());
        let public = command.get_subcommands().filter(|it| !it.is_hide_set());
        commands.extend(public.cloned());
        told += 1;
    }
    assert!(told > 25, "those within others too: {told}");
}
