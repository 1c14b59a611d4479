//! SARIF 2.1.0, as code-scanning services read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::findings::Located;
use crate::leak::Confidence;
use crate::python::Position;

pub(super) fn log(findings: &[Located]) -> String {
    let rules = rules(findings);
    let ids: Vec<&str> = rules.keys().copied().collect();
    let results: Vec<Value> = findings.iter().map(|found| result(found, &ids)).collect();
    let driver = json!({
        "name": "leakbench",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.values().collect::<Vec<_>>(),
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// Those that have findings, by id.
fn rules(findings: &[Located]) -> BTreeMap<&str, Value> {
    let mut rules = BTreeMap::new();
    for found in findings {
        let finding = &found.finding;
        let tags = finding.patterns.iter().flat_map(|pattern| pattern.cwe());
        let tags: Vec<String> = tags.map(|number| format!("external/cwe/cwe-{number}")).collect();
        let summary = finding
            .patterns
            .first()
            .map_or(finding.rule.as_str(), |pattern| pattern.summary());
        rules.entry(finding.rule.as_str()).or_insert_with(|| {
            json!({
                "id": finding.rule,
                "shortDescription": { "text": summary },
                "properties": { "tags": tags },
            })
        });
    }
    rules
}

fn result(found: &Located, rules: &[&str]) -> Value {
    let finding = &found.finding;
    let level = match finding.confidence {
        Confidence::High => "error",
        Confidence::Medium => "warning",
        Confidence::Low => "note",
    };
    let related = found.related.iter().map(|(at, note)| {
        let mut place = location(&found.path, *at, None);
        place["message"] = json!({ "text": note });
        place
    });
    let message = match finding.suggestion.as_str() {
        "" => finding.message.clone(),
        suggestion => format!("{}\n{suggestion}", finding.message),
    };
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": level,
        "message": { "text": message },
        "locations": [location(&found.path, found.start, Some(found.end))],
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

fn location(path: &str, start: Position, end: Option<Position>) -> Value {
    let mut region = json!({ "startLine": start.line, "startColumn": start.column });
    if let Some(end) = end {
        region["endLine"] = json!(end.line);
        region["endColumn"] = json!(end.column);
    }
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(path) }, "region": region } })
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
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri("a b/c.py"), "a%20b/c.py");
        assert_eq!(uri("/x/y.py"), "file:///x/y.py");
    }
}
