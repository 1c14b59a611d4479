//! Findings for other programs: everything as JSON, and technical-debt items.
//!
//! README.md documents the members; they are only ever added to.

use serde_json::{Value, json};

use super::{Located, Region, Report};
use crate::detect::ResourceImpact;
use crate::python::Position;

/// Rises when a member goes or changes its meaning.
const FORMAT: u32 = 1;

pub fn json(report: &Report<'_>) -> String {
    let findings: Vec<Value> = report.found.iter().map(object).collect();
    let unparsed = report.unparsed.iter();
    let unparsed = unparsed.map(|module| json!({ "path": module.path, "line": module.line, "reason": module.reason }));
    let value = json!({
        "format": FORMAT,
        "leakbench": env!("CARGO_PKG_VERSION"),
        "findings": findings,
        "unparsed": unparsed.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn object(found: &Located) -> Value {
    let finding = &found.finding;
    let related = found
        .steps
        .iter()
        .map(|step| json!({ "at": position(step.region.start), "end": position(step.region.end), "note": step.note }));
    json!({
        "path": found.path,
        "start": position(found.region.start),
        "end": position(found.region.end),
        "rule": finding.rule,
        "patterns": finding.patterns.iter().map(|pattern| pattern.id()).collect::<Vec<_>>(),
        "resource": finding.resource,
        "confidence": finding.confidence.word(),
        "qualname": found.qualname,
        "message": finding.message,
        "suggestion": finding.suggestion,
        "related": related.collect::<Vec<_>>(),
        "impact": found.debt.as_ref().map(|item| impact(item.impact)),
        "fingerprint": found.fingerprint,
    })
}

/// One item per leak; what is wrong with a comment is no debt of this kind.
pub fn debt(report: &Report<'_>) -> String {
    let items = report.found.iter().filter_map(|found| {
        let item = found.debt.as_ref()?;
        let Region { start, end } = found.region;
        Some(json!({
            "id": item.id,
            "kind": item.kind,
            "priority": item.priority.word(),
            "location": { "path": item.path, "start": position(start), "end": position(end), "qualname": found.qualname },
            "message": item.message,
            "impact": impact(item.impact),
        }))
    });
    format!(
        "{:#}\n",
        json!({ "format": FORMAT, "debt_items": items.collect::<Vec<_>>() })
    )
}

fn impact(impact: ResourceImpact) -> Value {
    json!({
        "severity": impact.severity.word(),
        "scope": impact.scope.word(),
        "score": thousandths(impact.score),
    })
}

/// Products of short decimals come out as long ones.
pub(super) fn thousandths(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

fn position(at: Position) -> Value {
    json!({ "line": at.line, "column": at.column })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{LEAKY, located, report};
    use super::*;

    #[test]
    fn findings_carry_impact_definition_and_path() {
        let found = located("a.py", LEAKY);
        let value: Value = serde_json::from_str(&json(&report(&found))).unwrap();
        let first = &value["findings"][0];
        assert_eq!(first["qualname"], "load");
        assert_eq!(first["related"][0]["at"]["line"], 4);
        assert_eq!(
            first["impact"],
            json!({ "severity": "high", "scope": "function", "score": 0.7 })
        );
        let items: Value = serde_json::from_str(&debt(&report(&found))).unwrap();
        let item = &items["debt_items"][0];
        assert_eq!(
            (&item["kind"], &item["priority"]),
            (&json!("resource-leak/release-skipped-on-path"), &json!("high"))
        );
        assert_eq!(item["location"]["start"]["line"], 2);
    }
}
