//! Damaged files: whatever is in them, the answer is a value, and it comes soon.

use bulkhead_config::parse;

const FULL: &str = include_str!("../../../../examples/full.yaml");

/// A small generator with a fixed seed (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap_or_default() % bound
    }
}

#[test]
fn damaged_files_never_panic() {
    let pieces = [
        "",
        " ",
        "\n",
        "\t",
        ":",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "*a",
        "&a ",
        "!!str ",
        "|\n",
        ">",
        "\"",
        "'",
        "#",
        "---\n",
        "~",
        "é",
        "\u{feff}",
        "<<: *a",
        "? ",
        "%YAML 1.2\n",
        "\r",
        "{id:[",
        "\0",
        "99999999999999999999",
    ];
    let mut random = Random(0x5eed);
    let lines: Vec<&str> = FULL.lines().collect();
    for _ in 0..500 {
        let mut text = FULL.to_owned();
        for _ in 0..=random.below(3) {
            let mut start = random.below(text.len());
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + random.below(12)).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            if random.below(4) == 0 {
                text.insert_str(start, lines[random.below(lines.len())]);
            } else {
                text.replace_range(start..end, pieces[random.below(pieces.len())]);
            }
        }
        if let Err(errors) = parse(&text, "damaged.yaml") {
            assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
        }
    }
}

#[test]
fn every_prefix_of_a_file_gets_an_answer() {
    for (end, _) in FULL.char_indices().step_by(41) {
        if let Err(errors) = parse(&FULL[..end], "cut.yaml") {
            assert!(!errors.0.is_empty());
        }
    }
}

#[test]
fn limits_hold() {
    let cases = [
        (" ".repeat((16 << 20) + 1), "larger than 16 MiB"),
        (format!("a: [{}]", "x,".repeat(200_001)), "more than 200000 values"),
        (format!("a: {}{}", "{b: ".repeat(100), "}".repeat(100)), "nested deeper than 64"),
        (format!("a: &a \"{}\"\nb: [{}]", "x".repeat(1 << 20), "*a,".repeat(65)), "values"),
    ];
    for (text, expect) in cases {
        let errors = parse(&text, "large.yaml").unwrap_err();
        assert!(errors.0[0].message.contains(expect), "{}", errors.0[0].message);
    }
}

#[test]
fn many_errors_are_cut_short() {
    let text: String = (0..20_000).map(|number| format!("key{number}: 1\n")).collect();
    assert_eq!(parse(&text, "many.yaml").unwrap_err().0.len(), 100);
}

#[test]
fn an_error_behind_many_warnings_is_still_an_error() {
    let clusters: String = (0..400)
        .map(|number| {
            format!("  c{number}: {{endpoints: ['a:1'], tls: {{insecure_skip_verify: true}}}}\n")
        })
        .collect();
    let text = format!(
        "listeners: [{{address: '127.0.0.1:0'}}]\nclusters:\n{clusters}routes: [{{backends: [no]}}]\n"
    );
    let errors = parse(&text, "many.yaml").unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
}

#[test]
fn large_tables_are_read_soon() {
    let routes: String = (0..5_000)
        .map(|number| {
            format!(
                "  - {{matches: [{{path: '/v1/svc{number}/users/{{id:[0-9]+}}'}}], backends: [a]}}\n"
            )
        })
        .collect();
    let text = format!(
        "listeners: [{{address: '127.0.0.1:0'}}]\nclusters: {{a: {{endpoints: ['a:1']}}}}\nroutes:\n{routes}"
    );
    assert_eq!(parse(&text, "large.yaml").unwrap().config.routes.len(), 5_000);
}

/// A secret in a place where none may stand shows in no diagnostic.
#[test]
fn secrets_are_never_echoed() {
    let head = "listeners: [{address: '127.0.0.1:0'}]\nroutes: [{backends: [a]}]\n\
                clusters: {a: {endpoints: ['a:1']}}\njwt_providers:\n  a:\n    algorithms: [HS256]\n";
    let secret = "hunter2-Zq8";
    for key in ["secret", "secert", "secret_env", "password", "shared_secret", "Secret", "jwks"] {
        for value in [secret.to_owned(), format!("\"{secret}\""), format!("|\n      {secret}")] {
            let text = format!("{head}    {key}: {value}\n    {key}: {value}\n");
            let errors = parse(&text, "secret.yaml").unwrap_err();
            assert!(!errors.to_string().contains(secret), "{errors}");
            assert!(!format!("{errors:?}").contains(secret), "{errors:?}");
        }
    }
}
