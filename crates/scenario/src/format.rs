//! The format of a scenario as data; parsing, schema and reference follow from it.

mod load;
mod requests;
mod targets;

pub(crate) use requests::METHODS;

use bulkhead_config::document::{
    Scalar, Shape, TEXT, Table, default, optional, reference_of, required, schema_of,
};

/// Requests and journeys of a scenario at most.
pub(crate) const REQUESTS_MAX: usize = 4_096;
/// Steps of a journey at most.
pub(crate) const STEPS_MAX: usize = 256;

/// A mapping of names to tables.
const fn named(table: &'static Shape) -> Shape {
    Shape::Map { key: Scalar::Name, value: table }
}

const fn list(item: &'static Shape, min: usize) -> Shape {
    Shape::List { item, min }
}

/// A whole scenario.
pub(crate) static SCENARIO: Table = Table {
    name: "scenario",
    about: "A whole scenario of `bulkhead load`.",
    keys: &[
        optional("description", TEXT, "What it shows; goes into the report."),
        required(
            "targets",
            named(&Shape::Either(&TEXT, &Shape::Table(&targets::TARGET))),
            "Servers that requests go to, by name: a URL, or a mapping.",
        ),
        optional(
            "load",
            Shape::Table(&load::LOAD),
            "When requests are sent. Left out: as the flags say.",
        ),
        default(
            "tokens",
            named(&Shape::Table(&targets::TOKENS)),
            "{}",
            "Pools of JSON Web Tokens, signed before the run; `{token:NAME}` is one of them.",
        ),
        default(
            "data",
            named(&Shape::Table(&targets::DATA)),
            "{}",
            "Values to pick from; `{pick:NAME}` is one of them.",
        ),
        required(
            "requests",
            list(&Shape::Table(&requests::REQUEST), 1),
            "Requests and journeys, drawn by weight; at most 4096.",
        ),
        default(
            "assertions",
            list(&TEXT, 0),
            "[]",
            "What must hold of the results, such as `p99<10ms`, or the exit status is 1.",
        ),
    ],
    rules: &[],
    hints: &[
        ("target", "servers stand in `targets`, each under its name"),
        ("scenarios", "requests and journeys stand in the list `requests`"),
        ("steps", "a journey is an item of `requests` with `steps`"),
        ("thresholds", "what must hold stands in the list `assertions`"),
        ("phases", "`phases` stand within `load`"),
        ("rate", "a rate is that of a phase: write it in `load`, under `phases`"),
        ("variables", "values to pick from stand in `data`; others are drawn where they are used"),
    ],
};

const INTRODUCTION: &str = "\
# Scenario reference

This page is generated from the declaration of the format in `crates/scenario/src/format/`; change
that, then run `UPDATE_EXPECT=1 cargo test -p bulkhead-scenario`. Whole scenarios are in
[`examples/load/`](../examples/load/), the [JSON Schema](scenario.schema.json) is for editors.

`bulkhead load --scenario FILE` reads a file of YAML 1.2 or JSON. All that is wrong with it is told at
once, each with line, column and what was probably meant; nothing is sent before it is right.

```yaml
targets:
  api: h2c://127.0.0.1:9000
load:
  phases: [{rate: 1000, duration: 10s}]
data:
  agents: {values: [one/1.0, two/2.0]}
requests:
  - get: /api/v1/{user:uniform(1,1000000)}/feed
    weight: 3
    headers: {user-agent: '{pick:agents}'}
    expect:
      headers: {content-type: application/json}
      json: {$.user_id: '{user}'}
  - name: visit
    steps:
      - post: /session
        body: '{\"user\": {id:uniform(1,9)}}'
        extract: {session: {json: $.session}}
      - think: 100ms
      - get: /session/{session}
assertions: [p99<100ms, error_rate<1%]
```

## Placeholders

Paths, header values, bodies and what is expected may hold placeholders. A `{` before a letter or `_`
begins one, `{{` is a brace, and any other brace is itself, so JSON is written as it is.

| Placeholder | Value |
|---|---|
| `{user:uniform(1,1000)}` | a whole number, both ends included, each as likely |
| `{user:zipf(1,1000,1.1)}` | a whole number; the k-th is as likely as 1 / k^1.1 |
| `{id:sequence(1)}` | the number of the request, counted from 1: unique, with gaps where others come between |
| `{id:uuid}` | a random UUID |
| `{pick:users}`, `{pick:users.name}` | from `data`: a value, or the column of a row |
| `{who:pick(users.name)}` | the same, drawn apart from `{pick:users…}` |
| `{token:staff}`, `{token:staff.index}` | from `tokens`: a token, or its number from 0 |
| `{user}`, `{session}` | what was drawn or extracted under this name before |

A name has one value in a request, and in all steps of a journey; all columns of `{pick:users…}` are of
the same row. Everything is drawn from the seed and the number of the request: the same seed sends the
same requests.

In a path, values are percent-encoded, save one that begins the path, such as `get: '{location}'`. In a
header, control characters become spaces. In a body, and where something is compared, values stand as
they are.

## Right answers

An answer is right if all that `expect` says holds; without it, any status from 200 to 299 is. Values
are compared as texts, so `json: {$.count: 7}` takes `7` and `\"7\"`. A header is right with or without
parameters that were not asked for (`text/html; charset=utf-8`). A JSON path names one value: `$.a.b`,
`$.items[0]`, `$['a b'][-1]` (the singular queries of RFC 9535). A journey ends with its first wrong
answer. Each step is counted as `journey/step`.

Names of files are relative to the folder of the scenario. Limits: 16 MiB, 4,096 requests, 256 steps,
256 variables in a request; `data` has up to 1,000,000 rows and 64 MiB each, a body 16 MiB, an extracted
value 64 KiB.

- A *duration* is written with units, longest first: `250ms`, `5s`, `1m30s`.
";

/// The reference of scenarios, in Markdown.
pub fn reference() -> String {
    reference_of(&SCENARIO, INTRODUCTION)
}

/// JSON Schema (draft 2020-12) of scenarios.
pub fn schema() -> serde_json::Value {
    schema_of(&SCENARIO, "Bulkhead load scenario")
}

/// The example of the introduction, to be shown right by a test.
#[cfg(test)]
pub(crate) fn introduction() -> &'static str {
    INTRODUCTION
}
