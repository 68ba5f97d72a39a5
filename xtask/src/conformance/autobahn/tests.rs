use super::{CASES_MIN, Report, Verdict, WAYS, compare};

fn report() -> Report {
    let verdict = Verdict { behavior: "OK".to_owned(), close: "OK".to_owned() };
    let cases: std::collections::BTreeMap<_, _> =
        (0..CASES_MIN).map(|case| (case.to_string(), verdict.clone())).collect();
    WAYS.iter().map(|way| ((*way).to_owned(), cases.clone())).collect()
}

#[test]
fn one_verdict_that_differs_or_is_missing_is_told() {
    assert_eq!(compare("client", &report()).unwrap(), CASES_MIN);
    let mut worse = report();
    worse.get_mut("http2").unwrap().get_mut("7").unwrap().close = "UNCLEAN".to_owned();
    let told = compare("client", &worse).unwrap_err().to_string();
    assert!(told.contains("7 over http2: ") && !told.contains("over http1"), "{told}");
    let mut less = report();
    less.get_mut("http1").unwrap().remove("8");
    assert!(compare("client", &less).unwrap_err().to_string().contains("8 over http1: None"));
    let mut few = report();
    few.get_mut("direct").unwrap().remove("9");
    assert!(compare("client", &few).is_err());
}

#[test]
fn reports_are_read() {
    let text = r#"{"direct": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK", "duration": 1,
        "remoteCloseCode": null, "reportfile": "x"}}}"#;
    let report: Report = serde_json::from_str(text).unwrap();
    assert_eq!(report["direct"]["1.1.1"].close, "OK");
}
