use std::collections::BTreeMap;

use bulkhead_load::{Request, Workload};

use super::*;
use crate::{PlanWorkload, Tokens};

fn options(methods: Methods) -> OpenApiOptions {
    let fields = vec![("authorization".to_owned(), "Bearer x".to_owned())];
    OpenApiOptions { target: None, connections: Some(3), methods, fields }
}

const PETS: &str = r##"
openapi: 3.0.3
servers: [{url: "https://{host}/v1/", variables: {host: {default: pets.example}}}]
paths:
  /pets:
    parameters: [{$ref: "#/components/parameters/limit"}]
    get:
      operationId: listPets
      x-weight: 3
      parameters:
        - {name: tag, in: query, schema: {type: array, items: {type: string}}, example: [a b, c]}
        - {name: unused, in: query, schema: {type: string}}
        - {name: X-Kind, in: header, required: true, schema: {enum: [cat, dog]}}
        - {name: sid, in: cookie, required: true, schema: {default: s}}
      responses: {"200": {}, "206": {}, "404": {}, default: {}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses: {"201": {}}
  /pets/{petId}/{kind}:
    get:
      parameters:
        - {name: petId, in: path, required: true, schema: {type: integer, minimum: 5, maximum: 6}}
        - {name: kind, in: path, required: true, schema: {type: string, format: uuid}}
      responses: {2XX: {}}
  /lost/{id}: {get: {}}
  /other: {get: {parameters: [{$ref: "other.yaml#/x"}]}}
components:
  parameters:
    limit: {name: limit, in: query, required: true, schema: {type: integer, default: 20}}
  schemas:
    Pet:
      allOf:
        - {$ref: "#/components/schemas/Named"}
        - type: object
          required: [id, age, kind, toys, owner, wild, weight]
          properties:
            id: {type: integer, readOnly: true}
            age: {type: integer, minimum: 1, maximum: 1}
            kind: {enum: [cat]}
            toys: {type: array, minItems: 2, items: {type: string, maxLength: 2}}
            owner: {$ref: "#/components/schemas/Owner"}
            wild: {type: boolean}
            weight: {type: number, example: 1.5}
            note: {type: string}
    Named: {required: [name], properties: {name: {type: string, example: "a \"b\""}}}
    Owner: {required: [born, pets], properties: {born: {format: date}, pets: {items: {$ref: "#/components/schemas/Pet"}}}}
"##;

/// One request of each class as a line.
fn lines(requests: &OpenApiRequests) -> BTreeMap<String, String> {
    let mut workload = PlanWorkload::new(requests.plan.clone(), Tokens::default(), 1);
    let mut lines = BTreeMap::new();
    for number in 0..200 {
        let mut request = Request::default();
        workload.prepare(number, &mut request);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let head = &request.head;
        let fields = head.fields.iter().map(|f| format!(" {}={}", text(f.name), text(f.value)));
        let line = format!(
            "{} {}{}{} {}",
            text(head.method_text()),
            text(head.authority()),
            text(head.target()),
            fields.collect::<String>(),
            text(&request.body)
        );
        let class = requests.plan.classes()[request.class].name.clone();
        lines.entry(class).or_insert(line);
    }
    lines
}

#[test]
fn operations_become_the_smallest_requests_that_are_allowed() {
    let requests = openapi(PETS, "pets.yaml", &options(Methods::All)).unwrap();
    assert_eq!(
        (requests.target.name.as_str(), requests.target.connections),
        ("pets.example", Some(3))
    );
    let lines = lines(&requests);
    let list = &lines["listPets"];
    assert!(
        list.starts_with("GET pets.example/v1/pets?tag=a%20b&tag=c&limit=20 x-kind="),
        "{list}"
    );
    assert!(list.ends_with(" cookie=sid=s authorization=Bearer x "), "{list}");
    let one = &lines["GET /pets/{petId}/{kind}"];
    let id = one.strip_prefix("GET pets.example/v1/pets/").unwrap();
    assert!(id.starts_with("5/") || id.starts_with("6/"), "{one}");
    assert_eq!(id.split([' ', '/']).nth(1).unwrap().len(), 36);
    let new = &lines["POST /pets"];
    assert!(new.starts_with("POST pets.example/v1/pets?limit=20 content-type=application/json "));
    let body: Value = serde_json::from_str(&new[new.find('{').unwrap()..]).unwrap();
    assert_eq!(
        (&body["name"], &body["age"], &body["kind"]),
        (&"a \"b\"".into(), &1.into(), &"cat".into())
    );
    assert_eq!((&body["toys"], &body["weight"]), (&serde_json::json!(["te", "te"]), &1.5.into()));
    assert!(body["wild"].is_boolean() && body.get("id").is_none() && body.get("note").is_none());
    assert_eq!(body["owner"]["born"], "2026-01-01");
    let first = "GET /lost/{id}: the parameter `id` of its path is not described".to_owned();
    assert_eq!(requests.skipped, Skipped { count: 2, first: Some(first) });
}

#[test]
fn declared_statuses_are_right() {
    let requests = openapi(PETS, "pets.yaml", &options(Methods::Safe)).unwrap();
    let statuses = |class: usize| requests.plan.step(class).unwrap().1.expect.statuses.clone();
    assert_eq!(requests.plan.classes().len(), 2);
    assert_eq!((statuses(0), statuses(1)), (vec![(200, 200), (206, 206)], vec![(200, 299)]));
    assert_eq!(requests.plan.weight_total(), 4);
}

#[test]
fn a_given_target_takes_the_path_of_the_server() {
    for (url, base) in [("h2c://127.0.0.1:1", "/v1"), ("h2c://127.0.0.1:1/mine", "/mine")] {
        let (endpoint, path) = Endpoint::parse(url).unwrap();
        let mut target = TargetSettings::new("t", endpoint, 1);
        target.base = path.trim_end_matches('/').to_owned();
        let options = OpenApiOptions { target: Some(target), ..options(Methods::Safe) };
        assert_eq!(openapi(PETS, "pets.yaml", &options).unwrap().target.base, base);
    }
}

#[test]
fn what_is_no_description_is_refused_with_a_way_out() {
    for (text, expected) in [
        ("swagger: '2.0'", "a.yaml: `openapi` is missing, and 3.0 or 3.1 is needed; convert"),
        ("{\"openapi\": 3.1,\n}", "a.yaml:2:1: this is no JSON"),
        ("openapi: [", "a.yaml:2:1: not YAML"),
        ("openapi: 3.1.0\npaths: {/: {get: {}}}", "a.yaml: the server `/` cannot be used"),
        (
            "openapi: 3.1.0\nservers: [{url: 'http://a'}]\npaths: {/a: {post: {}}}",
            "a.yaml: no operation can be sent",
        ),
    ] {
        let found = openapi(text, "a.yaml", &options(Methods::Safe)).unwrap_err().to_string();
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn schemas_that_never_end_are_left_out() {
    let text = r##"{"openapi": "3.1.0", "servers": [{"url": "http://a"}], "paths": {
        "/a": {"post": {"requestBody": {"content": {"application/json": {"schema":
            {"$ref": "#/components/schemas/A"}}}}}},
        "/b": {"post": {"requestBody": {"content": {"application/json": {"schema":
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": ["null", "integer"], "exclusiveMaximum": 0}]}}}}}}},
        "components": {"schemas": {"A": {"required": ["a"], "properties":
            {"a": {"$ref": "#/components/schemas/A"}}}, "B": {"$ref": "#/components/schemas/B"}}}}"##;
    let requests = openapi(text, "a.json", &options(Methods::All)).unwrap();
    assert_eq!(requests.skipped.count, 1);
    assert!(lines(&requests)["POST /b"].ends_with(" -1"));
}
