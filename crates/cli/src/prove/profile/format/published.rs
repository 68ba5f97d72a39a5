//! The pages that are made from the format: `docs/profile.md` and `docs/profile.schema.json`.

use std::path::PathBuf;

use bulkhead_config::document::{reference_of, schema_of};
use bulkhead_testkit::check_golden;

use super::PROFILE;
use crate::prove::profile::Profile;

const INTRODUCTION: &str = "\
# Profiles of the storm

This page is generated from the declaration of the format in `crates/cli/src/prove/profile/format.rs`; change
that, then run `cargo xtask docs`. What a storm is stands in [The storm](prove.md), the
[JSON Schema](profile.schema.json) is for editors.

`bulkhead prove --profile FILE` reads a file of YAML 1.2 or JSON. All that is wrong with it is told at once, each
with line, column and what was probably meant; nothing is started before it is right. Flags change what the file
says. `bulkhead prove --print-profile article` prints one of the built-in profiles, to begin with.

```yaml
description: the article's storm in small, with a slow disk under the access log
duration: 5m
traffic: {rate: 2000, http2_percent: 72, connections: 128}
kills: {every: 30s, share_percent: 15}
link: {at: client, loss_percent: 12, delay: 40ms, jitter: 40ms}
faults:
  - {at: 1m, lasts: 30s, fault: {gateway: {slow_log: {delay_ms: 500}}}}
limits: {rss_growth: 20MB}
```

A file has at most 1 MiB. A *duration* is written with units, longest first: `250ms`, `5s`,
`1m30s`; a *size* is a number of bytes, or has a unit: `64MiB`, `20MB`.
";

#[test]
fn schema_and_reference_are_published() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let schema = schema_of(&PROFILE, "Bulkhead profile of a storm");
    check_golden(docs.join("profile.schema.json"), &format!("{schema:#}\n"));
    check_golden(docs.join("profile.md"), &reference_of(&PROFILE, INTRODUCTION));
}

#[test]
fn the_example_is_right() {
    let example = INTRODUCTION.split("```yaml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let profile = Profile::parse(example, "docs/profile.md").map_err(|errors| errors.to_string());
    assert_eq!(profile.unwrap().faults.len(), 1);
}
