//! The format of experiments as JSON Schema, for editors and for other tools that check files. Chaos
//! Toolkit's own schema describes an older model and cannot be loaded.

use serde_json::{Value, json};

use crate::model::{HypothesisStrategy, RollbackStrategy};

/// JSON Schema (draft 2020-12) of experiments. It knows the form only: that programs and variables are
/// there, that patterns compile and the like is [`crate::parse`]'s to say.
pub fn schema() -> Value {
    let named = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let list = |name: &str| json!({ "type": "array", "items": named(name) });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Chaos Toolkit experiment",
        "description": "An experiment of Chaos Toolkit, with the extension of Bulkhead.",
        "type": "object",
        "required": ["title", "description", "method"],
        "properties": {
            "version": { "type": "string", "description": "Version of the format." },
            "title": named("text"),
            "description": named("text"),
            "tags": { "type": "array", "items": named("text") },
            "configuration": named("configuration"),
            "secrets": named("secrets"),
            "steady-state-hypothesis": named("hypothesis"),
            "method": list("step"),
            "rollbacks": list("step"),
            "controls": list("control"),
            "extensions": list("extension"),
            "contributions": {
                "type": "object",
                "additionalProperties": { "enum": ["high", "medium", "low", "none"] },
            },
            "runtime": named("runtime"),
        },
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = json!({});
    for part in [values(), activities(), providers(), injection(), tolerances(), around(), ours()] {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    all
}

fn values() -> Value {
    json!({
        "text": { "type": "string", "minLength": 1 },
        "seconds": {
            "description": "A number of seconds, or `${name}` for one of the configuration.",
            "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": "^\\$\\{.*\\}$" }],
        },
        "configuration": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    { "type": ["string", "number", "boolean", "array", "null"] },
                    { "$ref": "#/$defs/environment" },
                    { "$ref": "#/$defs/activity" },
                    {
                        "type": "object",
                        "not": { "properties": { "type": { "enum": ["env", "probe"] } }, "required": ["type"] },
                    },
                ],
            },
        },
        "environment": {
            "description": "The value of an environment variable.",
            "type": "object",
            "required": ["type", "key"],
            "properties": {
                "type": { "const": "env" },
                "key": { "type": "string", "minLength": 1 },
                "default": {},
                "env_var_type": {
                    "enum": ["str", "string", "int", "integer", "float", "number", "bytes", "bool", "json"],
                },
            },
        },
        "secrets": {
            "description": "Secrets, in groups.",
            "type": "object",
            "additionalProperties": { "type": "object" },
        },
    })
}

fn activities() -> Value {
    json!({
        "step": {
            "if": { "required": ["ref"] },
            "then": { "$ref": "#/$defs/reference" },
            "else": { "$ref": "#/$defs/activity" },
        },
        "reference": {
            "description": "An activity by its name.",
            "type": "object",
            "properties": { "ref": { "$ref": "#/$defs/text" }, "background": { "type": "boolean" } },
        },
        "activity": {
            "description": "A probe or an action.",
            "type": "object",
            "required": ["type", "name", "provider"],
            "properties": {
                "type": { "enum": ["probe", "action"] },
                "name": { "$ref": "#/$defs/text" },
                "provider": { "$ref": "#/$defs/provider" },
                "background": {
                    "type": "boolean", "description": "The next activity does not wait for it.",
                },
                "pauses": {
                    "type": ["object", "null"],
                    "properties": {
                        "before": { "$ref": "#/$defs/seconds" },
                        "after": { "$ref": "#/$defs/seconds" },
                    },
                },
                "timeout": { "type": ["number", "null"] },
                "dry": { "enum": ["probes", "actions", "activities", "pause"] },
                "controls": { "type": "array", "items": { "$ref": "#/$defs/control" } },
                "configuration": {},
                "tolerance": {},
            },
        },
        "hypothesis": {
            "description": "What is to hold before and after the method.",
            "type": ["object", "null"],
            "required": ["title"],
            "properties": {
                "title": { "$ref": "#/$defs/text" },
                "probes": {
                    "type": ["array", "null"],
                    "items": {
                        "allOf": [{ "$ref": "#/$defs/step" }],
                        "required": ["tolerance"],
                        "properties": { "tolerance": { "$ref": "#/$defs/tolerance" } },
                    },
                },
                "controls": { "type": "array", "items": { "$ref": "#/$defs/control" } },
            },
        },
    })
}

fn providers() -> Value {
    json!({
        "provider": {
            "type": "object",
            "required": ["type"],
            "oneOf": [
                { "$ref": "#/$defs/http" }, { "$ref": "#/$defs/process" }, { "$ref": "#/$defs/python" },
            ],
        },
        "http": {
            "description": "A request; what it returns is `{status, headers, body}`.",
            "required": ["url"],
            "properties": {
                "type": { "const": "http" },
                "url": { "$ref": "#/$defs/text" },
                "method": { "type": "string", "default": "GET" },
                "headers": { "type": ["object", "null"] },
                "arguments": {
                    "description": "The query of a GET; JSON if the header `Content-Type` is exactly `application/json`; else a form.",
                },
                "timeout": {
                    "description": "Seconds, or those to connect and those to read.",
                    "anyOf": [
                        { "type": ["number", "string", "null"] },
                        { "type": "array", "minItems": 2, "maxItems": 2 },
                    ],
                },
                "expected_status": {},
                "verify_tls": { "type": "boolean", "default": true },
                "max_retries": { "type": "integer", "minimum": 0, "default": 0 },
                "secrets": {},
            },
        },
        "process": {
            "description": "A program; what it returns is `{status, stdout, stderr}`.",
            "required": ["path"],
            "properties": {
                "type": { "const": "process" },
                "path": { "$ref": "#/$defs/text" },
                "arguments": {
                    "description": "A list is passed as it is, a text goes through the shell.",
                    "type": ["array", "string", "object", "null"],
                },
                "timeout": { "type": ["number", "null"], "exclusiveMinimum": 0 },
                "secrets": {},
            },
        },
        "python": {
            "description": "A Python function. Those of `chaosbulkhead` are carried out by Bulkhead itself.",
            "required": ["module", "func"],
            "properties": {
                "type": { "const": "python" },
                "module": { "$ref": "#/$defs/text" },
                "func": { "$ref": "#/$defs/text" },
                "arguments": { "type": ["object", "null"] },
                "secrets": {},
            },
            "if": { "properties": { "module": { "const": "chaosbulkhead.actions" }, "func": { "const": "inject" } } },
            "then": { "required": ["arguments"], "properties": { "arguments": { "$ref": "#/$defs/injection" } } },
        },
    })
}

fn injection() -> Value {
    json!({
        "injection": {
            "type": "object",
            "required": ["fault"],
            "oneOf": [{ "required": ["target"] }, { "required": ["targets"] }],
            "additionalProperties": false,
            "properties": {
                "fault": {
                    "description": "Family and kind, such as `{gateway: {kill_worker: {worker: 0}}}`.",
                    "anyOf": [
                        { "type": "string", "pattern": "\\$" },
                        {
                            "type": "object", "minProperties": 1, "maxProperties": 1,
                            "propertyNames": { "enum": ["gateway", "http", "network", "process", "host"] },
                        },
                    ],
                },
                "target": {},
                "labels": {
                    "description": "Labels of `target`; `environment: production` needs an approval.",
                    "anyOf": [
                        { "type": "string", "pattern": "\\$" },
                        { "type": ["object", "null"], "additionalProperties": { "type": "string" } },
                    ],
                },
                "targets": { "type": ["array", "string"] },
                "blast_radius": {
                    "description": "How many of `targets` are struck.", "type": ["object", "string"],
                },
                "approval": {
                    "description": "Id of the approval of somebody else, by `bulkhead chaos approve`.",
                    "type": ["string", "null"],
                },
                "ttl": { "$ref": "#/$defs/time" },
                "id": { "type": "string" },
            },
        },
    })
}

fn tolerances() -> Value {
    json!({
        "tolerance": {
            "description": "A whole number is compared with a status if there is one; a list of two is a range unless there is a status.",
            "anyOf": [
                { "type": ["integer", "string", "boolean", "array"] },
                {
                    "type": "object",
                    "required": ["type"],
                    "oneOf": [
                        {
                            "required": ["pattern"],
                            "properties": {
                                "type": { "const": "regex" },
                                "pattern": { "type": "string" }, "target": {},
                            },
                        },
                        {
                            "required": ["path"],
                            "properties": {
                                "type": { "const": "jsonpath" },
                                "path": { "type": "string", "pattern": "^\\s*\\$" },
                                "expect": {}, "count": {}, "target": {},
                            },
                        },
                        {
                            "required": ["range"],
                            "properties": {
                                "type": { "const": "range" },
                                "range": {
                                    "type": "array", "minItems": 2, "maxItems": 2,
                                    "items": { "type": ["number", "boolean"] },
                                },
                                "target": {},
                            },
                        },
                        {
                            "allOf": [{ "$ref": "#/$defs/activity" }],
                            "properties": { "type": { "const": "probe" } },
                        },
                    ],
                },
            ],
        },
    })
}

fn around() -> Value {
    json!({
        "control": {
            "description": "Python code around what it stands at. It is not run by Bulkhead.",
            "type": "object",
            "required": ["name", "provider"],
            "properties": {
                "name": { "type": "string" },
                "ref": { "type": "string" },
                "scope": { "enum": ["before", "after", "", null] },
                "automatic": { "type": "boolean" },
                "provider": {
                    "type": "object",
                    "if": { "properties": { "type": { "const": "python" } }, "required": ["type"] },
                    "then": { "required": ["module"], "properties": { "module": { "$ref": "#/$defs/text" } } },
                },
            },
        },
        "runtime": {
            "type": "object",
            "properties": {
                "hypothesis": {
                    "type": "object",
                    "properties": { "strategy": { "enum": HypothesisStrategy::NAMES } },
                },
                "rollbacks": {
                    "type": "object",
                    "properties": { "strategy": { "enum": RollbackStrategy::NAMES } },
                },
            },
        },
    })
}

fn below_100() -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100 })
}

fn compare() -> Value {
    json!({
        "description": "The experiment group of a fault may do worse than its control group by so much.",
        "type": "array",
        "maxItems": 16,
        "items": {
            "type": "object",
            "required": ["fault"],
            "anyOf": [{ "required": ["error_share"] }, { "required": ["latency"] }],
            "additionalProperties": false,
            "properties": {
                "fault": { "description": "Name of the action that injects it.", "$ref": "#/$defs/text" },
                "gateway": {
                    "description": "Admin server; that of the fault's target if left out.",
                    "$ref": "#/$defs/text",
                },
                "error_share": {
                    "type": "object",
                    "required": ["margin"],
                    "additionalProperties": false,
                    "properties": { "margin": below_100() },
                },
                "latency": {
                    "type": "object",
                    "required": ["percentile", "margin"],
                    "additionalProperties": false,
                    "properties": { "percentile": below_100(), "margin": { "$ref": "#/$defs/time" } },
                },
            },
        },
    })
}

fn error_budget() -> Value {
    json!({
        "description": "Of the requests that a gateway passes on from the begin of a fault until all is well again, so many percent must succeed.",
        "type": "object",
        "required": ["gateway", "objective"],
        "additionalProperties": false,
        "properties": {
            "gateway": { "$ref": "#/$defs/text" },
            "objective": below_100(),
            "requests_min": {
                "description": "Requests below which nothing is said: 100 if left out.",
                "type": "integer", "minimum": 0,
            },
        },
    })
}

fn ours() -> Value {
    let share = json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 100 });
    json!({
        "time": {
            "description": "Numbers with units, longest first, such as `1m30s`; or a number of seconds.",
            "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "minLength": 1 }],
        },
        "extension": {
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "type": "string", "pattern": "\\S" } },
            "if": { "properties": { "name": { "const": "bulkhead" } } },
            "then": { "$ref": "#/$defs/bulkhead" },
        },
        "bulkhead": {
            "description": "What an experiment says to Bulkhead alone.",
            "additionalProperties": false,
            "properties": {
                "name": {},
                "seed": {
                    "description": "Everything random is drawn from it.",
                    "type": "integer", "minimum": 0,
                },
                "ttl": { "description": "Life of a fault that names none: at most 15m, 60s if left out.", "$ref": "#/$defs/time" },
                "recovery": {
                    "description": "How long the hypothesis may take to hold again after everything was taken back: at most 15m.",
                    "$ref": "#/$defs/time",
                },
                "blast_radius": {
                    "description": "How many of the targets a fault may strike.",
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "percent": share, "count": { "type": "integer", "minimum": 1 },
                        "rounding": { "enum": ["ceil", "floor", "stochastic"] },
                        "min_survivors": { "type": "integer", "minimum": 0 },
                        "labels": { "type": "object" },
                    },
                    "oneOf": [{ "required": ["percent"] }, { "required": ["count"] }],
                },
                "abort": {
                    "description": "The method ends when a probe of the hypothesis is out of its tolerance for so long without a break.",
                    "type": "array",
                    "maxItems": 16,
                    "items": {
                        "type": "object",
                        "required": ["probe"],
                        "additionalProperties": false,
                        "properties": {
                            "probe": { "$ref": "#/$defs/text" }, "for": { "$ref": "#/$defs/time" },
                        },
                    },
                },
                "compare": compare(),
                "error_budget": error_budget(),
            },
        },
    })
}

#[cfg(test)]
mod tests;
