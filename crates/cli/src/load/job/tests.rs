use super::*;

fn arguments(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn files_travel_with_the_command_line() {
    let here = std::env::temp_dir().join(format!("bulkhead-gather-{}", std::process::id()));
    std::fs::create_dir_all(&here).unwrap();
    let (body, authority) = (here.join("body.json"), here.join("ca"));
    std::fs::write(&body, b"{}").unwrap();
    std::fs::write(&authority, b"PEM").unwrap();
    let line = format!(
        "h2c://a/ --rate 10 --body @{} --cacert={} --json out.json --agent-secret-file=x --grpc",
        body.display(),
        authority.display()
    );
    let job = gather(&arguments(&line), &FILE_FLAGS, 7).unwrap();
    assert_eq!(
        job.arguments,
        [
            "h2c://a/",
            "--rate",
            "10",
            "--body=@bulkhead-job-file:0.json",
            "--cacert=bulkhead-job-file:1",
            "--grpc",
        ]
    );
    assert_eq!(
        (job.files["0.json"].as_slice(), job.files["1"].as_slice()),
        (&b"{}"[..], &b"PEM"[..])
    );

    let unpacked = Unpacked::new(&job, &FILE_FLAGS, &here, &mut Random::new(1)).unwrap();
    let path = unpacked.arguments[3].strip_prefix("--body=@").unwrap().to_owned();
    assert!(path.ends_with(".json"), "{path}");
    assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    let directory = unpacked.directory.clone().unwrap();
    // Never into a directory that somebody has prepared.
    assert!(Unpacked::new(&job, &FILE_FLAGS, &here, &mut Random::new(1)).is_err());
    drop(unpacked);
    assert!(!directory.exists());
    std::fs::remove_dir_all(&here).unwrap();
}

#[test]
fn a_body_that_is_no_file_stays_as_it_is() {
    let job = gather(&arguments("http://a/ --body hello"), &FILE_FLAGS, 0).unwrap();
    assert_eq!(job.arguments, ["http://a/", "--body=hello"]);
    assert!(job.files.is_empty());
    let error = gather(&arguments("http://a/ --cacert"), &FILE_FLAGS, 0).unwrap_err();
    assert!(error.to_string().contains("needs a value"));
    let error = gather(&arguments("http://a/ --scenario x.yaml"), &FILE_FLAGS, 0).unwrap_err();
    assert!(error.to_string().contains("further files"), "{error}");
    let error = gather(&arguments("http://a/ --cacert=/nowhere/ca"), &FILE_FLAGS, 0).unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca"), "{error}");
}

#[test]
fn a_hostile_job_writes_nowhere_else() {
    for (number, (key, name)) in [
        ("../../etc/passwd", "0"),
        ("0./../x", "0"),
        ("/etc/cron.d/x", "0"),
        ("0.yaml", "0.yaml"),
        ("plain", "0.plain"),
        ("0.\u{0}", "0"),
        ("", "0."),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(safe_name(0, key), name, "case {number}");
    }
    let job = Job { arguments: vec![format!("--body=@{MARK}9")], ..Job::default() };
    assert!(Unpacked::new(&job, &FILE_FLAGS, Path::new("/nowhere"), &mut Random::new(1)).is_err());
    let job = Job { arguments: vec![String::new(); ARGUMENTS_MAX + 1], ..Job::default() };
    assert!(Unpacked::new(&job, &FILE_FLAGS, Path::new("/nowhere"), &mut Random::new(1)).is_err());
}

#[test]
fn a_hostile_job_reads_no_file_of_the_agents_machine() {
    for (line, allowed) in [
        ("http://a/ --body=text", true),
        ("http://a/ --rate=5 --grpc", true),
        ("http://a/ --body=@/etc/shadow", false),
        ("http://a/ --body @/etc/shadow", false),
        ("http://a/ --cacert=/etc/shadow", false),
        ("http://a/ --key /etc/shadow", false),
        ("http://a/ --json=/etc/cron.d/x", false),
        ("http://a/ --agents=b:1", false),
        ("http://a/ --scenario=bulkhead-job-file:0.yaml", false),
    ] {
        let job = Job { arguments: arguments(line), ..Job::default() };
        let unpacked = Unpacked::new(&job, &FILE_FLAGS, Path::new("/nowhere"), &mut Random::new(1));
        assert_eq!(unpacked.is_ok(), allowed, "{line}");
    }
}
