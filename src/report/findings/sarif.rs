//! SARIF 2.1.0, as code-scanning services read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::json::thousandths;
use super::{Level, Located, Region, Report, Step, level};
use crate::detect::explain;
use crate::leak::{Confidence, Pattern};

/// Names the way in which fingerprints are made; another way gets another number.
const FINGERPRINT: &str = "leakbench/v1";

pub fn sarif(report: &Report<'_>) -> String {
    let rules: BTreeSet<&str> = report.found.iter().map(|found| found.finding.rule.as_str()).collect();
    let ids: Vec<&str> = rules.into_iter().collect();
    let results: Vec<Value> = report.found.iter().map(|found| result(found, &ids, report)).collect();
    let driver = json!({
        "name": "leakbench",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "shortDescription": { "text": "Looks for resource leaks in Python code" },
        "rules": ids.iter().map(|id| rule(id)).collect::<Vec<_>>(),
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(report),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(id: &str) -> Value {
    let Ok(pattern) = id.parse::<Pattern>() else {
        return json!({
            "id": id,
            "shortDescription": { "text": "A suppression comment that is wrong or suppresses nothing" },
            "defaultConfiguration": { "level": "warning" },
        });
    };
    let numbers = pattern.cwe().iter();
    let tags: Vec<String> = numbers.map(|number| format!("external/cwe/cwe-{number}")).collect();
    let page = explain(pattern).unwrap_or(pattern.summary()).trim_end();
    json!({
        "id": id,
        "shortDescription": { "text": pattern.summary() },
        "fullDescription": { "text": format!("A resource leak: {}.", pattern.summary()) },
        "help": { "text": page, "markdown": page },
        "defaultConfiguration": { "level": "warning" },
        "properties": { "tags": tags },
    })
}

/// What was not looked at must not pass for clean.
fn notifications(report: &Report<'_>) -> Vec<Value> {
    let each = report.unparsed.iter().map(|module| {
        let mut place = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&module.path) } } });
        if let Some(line) = module.line {
            place["physicalLocation"]["region"] = json!({ "startLine": line });
        }
        json!({
            "level": "warning",
            "message": { "text": format!("not looked at: {}", module.reason) },
            "locations": [place],
        })
    });
    each.collect()
}

fn result(found: &Located, rules: &[&str], report: &Report<'_>) -> Value {
    let finding = &found.finding;
    let message = match finding.suggestion.as_str() {
        "" => finding.message.clone(),
        suggestion => format!("{}\n{suggestion}", finding.message),
    };
    let steps = found.path_of_leak();
    let related = steps.iter().enumerate().skip(1).map(|(number, step)| {
        let mut place = noted(found, step);
        place["id"] = json!(number);
        place
    });
    let mut place = location(found, found.region);
    if !found.qualname.is_empty() {
        place["logicalLocations"] = json!([{ "fullyQualifiedName": found.qualname }]);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": word(finding.confidence),
        "message": { "text": message },
        "locations": [place],
        "relatedLocations": related.collect::<Vec<_>>(),
        "partialFingerprints": { FINGERPRINT: found.fingerprint },
        "properties": properties(found),
    });
    if !steps.is_empty() {
        let locations: Vec<Value> = steps
            .iter()
            .map(|step| json!({ "location": noted(found, step) }))
            .collect();
        result["codeFlows"] = json!([{ "threadFlows": [{ "locations": locations }] }]);
    }
    if report.against_baseline {
        result["baselineState"] = json!("new");
    }
    result
}

const fn word(confidence: Confidence) -> &'static str {
    match level(confidence) {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn properties(found: &Located) -> Value {
    let mut properties = json!({ "confidence": found.finding.confidence.word() });
    if let Some(resource) = &found.finding.resource {
        properties["resource"] = json!(resource);
    }
    if let Some(item) = &found.debt {
        properties["severity"] = json!(item.impact.severity.word());
        properties["scope"] = json!(item.impact.scope.word());
        properties["score"] = json!(thousandths(item.impact.score));
    }
    properties
}

fn noted(found: &Located, step: &Step) -> Value {
    let mut place = location(found, step.region);
    if !step.note.is_empty() {
        place["message"] = json!({ "text": step.note });
    }
    place
}

fn location(found: &Located, Region { start, end }: Region) -> Value {
    let region = json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    });
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&found.path) }, "region": region } })
}

/// A relative or absolute path as a URI reference: everything but unreserved characters and `/` is escaped.
fn uri(path: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped: String = path
        .bytes()
        .map(|byte| {
            if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    if escaped.starts_with('/') {
        format!("file://{escaped}")
    } else {
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{LEAKY, located, report};
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri("a b/c.py"), "a%20b/c.py");
        assert_eq!(uri("/x/y.py"), "file:///x/y.py");
    }

    #[test]
    fn a_result_has_its_path_its_fingerprint_and_a_rule_with_help() {
        let found = located("a.py", LEAKY);
        let known = Report {
            against_baseline: true,
            ..report(&found)
        };
        let log: Value = serde_json::from_str(&sarif(&known)).unwrap();
        let run = &log["runs"][0];
        let rule = &run["tool"]["driver"]["rules"][0];
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .starts_with("# release-skipped-on-path")
        );
        let result = &run["results"][0];
        let flow = &result["codeFlows"][0]["threadFlows"][0]["locations"];
        let line = |at: usize| &flow[at]["location"]["physicalLocation"]["region"]["startLine"];
        assert_eq!((line(0), line(1)), (&json!(2), &json!(4)));
        assert_eq!(flow[0]["location"]["message"]["text"], "acquired here");
        assert_eq!(result["relatedLocations"][0]["id"], 1);
        assert_eq!(result["partialFingerprints"][FINGERPRINT], "0123456789abcdef");
        assert_eq!(result["baselineState"], "new");
    }
}
