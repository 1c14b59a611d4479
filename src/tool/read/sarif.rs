//! SARIF 2.1.0 of any tool.

use serde_json::Value;

use super::super::place::{Columns, Unit};
use super::{RawFinding, Said, parsed};

pub(super) fn read(text: &str) -> Result<Said, String> {
    let value = parsed(text)?;
    let runs = value.get("runs").and_then(Value::as_array);
    let runs = runs.ok_or_else(|| "its SARIF has no runs".to_owned())?;
    let mut said = Said::default();
    for run in runs {
        let results = run.get("results").and_then(Value::as_array);
        // Without `results` a run did not come to an end: an empty list says that nothing was found.
        let results = results.ok_or_else(|| "a run of its SARIF has no results".to_owned())?;
        for result in results.iter().filter(|result| is_reported(result)) {
            said.findings.push(finding(run, result)?);
        }
        said.unreadable.extend(unreadable(run));
    }
    Ok(said)
}

fn columns(run: &Value) -> Columns {
    let points = run.get("columnKind").and_then(Value::as_str) == Some("unicodeCodePoints");
    Columns {
        first: 1,
        unit: if points { Unit::Characters } else { Unit::Utf16 },
    }
}

/// Neither suppressed in the code nor a statement that something is fine.
fn is_reported(result: &Value) -> bool {
    let suppressed = result
        .get("suppressions")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    let kind = result.get("kind").and_then(Value::as_str).unwrap_or("fail");
    !suppressed && matches!(kind, "fail" | "open" | "review")
}

fn finding(run: &Value, result: &Value) -> Result<RawFinding, String> {
    let place = result.pointer("/locations/0/physicalLocation");
    let place = place.ok_or_else(|| "a result of its SARIF has no place".to_owned())?;
    let (path, region) = located(run, place).ok_or_else(|| "a result of its SARIF has no file".to_owned())?;
    let number = |name: &str| {
        let number = region?.get(name)?.as_u64()?;
        u32::try_from(number).ok()
    };
    let line = number("startLine").ok_or_else(|| "a result of its SARIF has no line".to_owned())?;
    let end = number("endColumn").map(|column| (number("endLine").unwrap_or(line), column));
    Ok(RawFinding {
        path,
        line,
        column: number("startColumn"),
        end,
        rule: rule(run, result).unwrap_or_default(),
        message: result
            .pointer("/message/text")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        columns: columns(run),
    })
}

/// The file and the region in it.
fn located<'v>(run: &Value, place: &'v Value) -> Option<(String, Option<&'v Value>)> {
    let artifact = place.get("artifactLocation")?;
    let by_index = || {
        let index = artifact.get("index")?.as_u64()?;
        run.pointer(&format!("/artifacts/{index}/location/uri"))?.as_str()
    };
    let uri = artifact.get("uri").and_then(Value::as_str).or_else(by_index)?;
    let base = artifact
        .get("uriBaseId")
        .and_then(Value::as_str)
        .and_then(|id| run.get("originalUriBaseIds")?.get(id)?.get("uri")?.as_str());
    let whole = if uri.contains("://") {
        uri.to_owned()
    } else {
        format!("{}{uri}", base.unwrap_or_default())
    };
    let path = whole.strip_prefix("file://").unwrap_or(&whole);
    Some((unescaped(path), place.get("region")))
}

fn rule(run: &Value, result: &Value) -> Option<String> {
    let named = result.get("ruleId").or_else(|| result.pointer("/rule/id"));
    let by_index = || {
        let index = result
            .get("ruleIndex")
            .or_else(|| result.pointer("/rule/index"))?
            .as_u64()?;
        run.pointer(&format!("/tool/driver/rules/{index}/id"))
    };
    named.or_else(by_index)?.as_str().map(str::to_owned)
}

/// Files with an error of the run itself.
fn unreadable(run: &Value) -> Vec<(String, String)> {
    let invocations = run.get("invocations").and_then(Value::as_array).into_iter().flatten();
    let notes = invocations
        .filter_map(|one| one.get("toolExecutionNotifications")?.as_array())
        .flatten();
    let errors = notes.filter(|note| note.get("level").and_then(Value::as_str) == Some("error"));
    let named = errors.filter_map(|note| {
        let (path, _) = located(run, note.pointer("/locations/0/physicalLocation")?)?;
        let message = note
            .pointer("/message/text")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some((path, message.to_owned()))
    });
    named.collect()
}

/// `%20` and the like.
fn unescaped(uri: &str) -> String {
    let bytes = uri.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = uri.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = pair.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "t", "rules": [{"id": "R0"}, {"id": "R1"}]}},
        "originalUriBaseIds": {"SRC": {"uri": "file:///work/"}},
        "invocations": [{"executionSuccessful": false, "toolExecutionNotifications": [
            {"level": "error", "message": {"text": "no syntax"},
             "locations": [{"physicalLocation": {"artifactLocation": {"uri": "bad.py"}}}]}]}],
        "results": [
            {"ruleIndex": 1, "message": {"text": "open"}, "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": "a%20b.py", "uriBaseId": "SRC"},
                "region": {"startLine": 3, "startColumn": 5, "endColumn": 9}}}]},
            {"ruleId": "R0", "suppressions": [{"kind": "inSource"}], "message": {}, "locations": []},
            {"ruleId": "R0", "kind": "pass", "message": {}, "locations": []}]}]}"#;

    #[test]
    fn results_are_read_with_their_bases_and_indices() {
        let said = read(LOG).unwrap_or_else(|error| panic!("{error}"));
        let [only] = &said.findings[..] else {
            panic!("{:?}", said.findings)
        };
        assert_eq!((only.path.as_str(), only.rule.as_str()), ("/work/a b.py", "R1"));
        assert_eq!((only.line, only.column, only.end), (3, Some(5), Some((3, 9))));
        assert_eq!(said.unreadable, [("bad.py".to_owned(), "no syntax".to_owned())]);
        assert_eq!(only.columns.unit, Unit::Utf16);
    }

    #[test]
    fn a_run_without_results_is_no_silence() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("{}").contains("no runs"));
        assert!(wrong(r#"{"runs": [{}]}"#).contains("no results"));
        assert!(wrong(r#"{"runs": [{"results": [{"ruleId": "R"}]}]}"#).contains("no place"));
    }
}
