use bulkhead_testkit::Scratch;

use super::*;

const GOOD: &str = "\
listeners:
  - name: web
    address: 127.0.0.1:8080
routes:
  - backends:
      - cluster: api
clusters:
  api:
    endpoints: [\"127.0.0.1:3000\"]
";

#[test]
fn good_file_has_a_summary() {
    let findings = find(GOOD, "gateway.yaml");
    assert_eq!(findings.errors(), 0, "{findings:?}");
    assert_eq!(findings.summary, "1 listener, 1 route, 1 cluster");
    assert_eq!(to_text("gateway.yaml", &findings), "");
    assert_eq!(
        to_json("gateway.yaml", &findings),
        json!({ "file": "gateway.yaml", "ok": true, "errors": [], "warnings": [] })
    );
}

#[test]
fn bad_file_tells_place_and_nearest_name() {
    let text = GOOD.replace("clusters:", "clustres:");
    let findings = find(&text, "gateway.yaml");
    assert!(findings.errors() > 0);
    let told = to_text("gateway.yaml", &findings);
    assert!(told.contains("gateway.yaml:7:1: "), "{told}");
    assert!(told.contains("did you mean `clusters`?"), "{told}");
    let document = to_json("gateway.yaml", &findings);
    assert_eq!(document["ok"], json!(false));
    let errors = document["errors"].as_array().unwrap();
    assert!(
        errors.iter().any(|error| error["line"] == 7 && error["suggestion"] == "clusters"),
        "{document:#}"
    );
}

#[test]
fn missing_files_and_variables_are_errors() {
    let scratch = Scratch::new();
    scratch.write("there.pem", "");
    let text = format!(
        "{GOOD}\
jwt_providers:
  one:
    algorithms: [RS256]
    public_key_file: there.pem
  two:
    algorithms: [RS256]
    jwks_file: absent.json
  three:
    algorithms: [HS256]
    secret_env: BULKHEAD_TEST_NEVER_SET
"
    );
    let file = scratch.path().join("gateway.yaml").display().to_string();
    let findings = find(&text, &file);
    let messages: Vec<&str> =
        findings.missing.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{findings:?}");
    let absent = scratch.path().join("absent.json").display().to_string();
    assert!(messages[0].contains(&absent), "{messages:?}");
    assert!(messages[1].contains("`BULKHEAD_TEST_NEVER_SET`"), "{messages:?}");
}
