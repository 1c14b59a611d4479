//! JSON of any shape: a pointer (RFC 6901) to the list, and one to each part of its items.

use serde::Deserialize;
use serde_json::Value;

use super::{Columns, RawFinding, Said, parsed, sorted_out};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Json {
    /// To the list of findings; empty if the output is the list.
    #[serde(default)]
    findings: String,
    path: String,
    line: String,
    column: Option<String>,
    end_line: Option<String>,
    end_column: Option<String>,
    rule: String,
    message: Option<String>,
    /// Rules that say that a file could not be read.
    #[serde(default)]
    unreadable: Vec<String>,
    #[serde(default)]
    columns: Columns,
    /// To a list of files that could not be read, beside the findings.
    errors: Option<String>,
    /// In each of its items.
    #[serde(default)]
    error_path: String,
    #[serde(default)]
    error_message: String,
}

impl Json {
    pub(super) fn check(&self) -> Result<(), String> {
        let pointers = [
            Some(&self.findings),
            Some(&self.path),
            Some(&self.line),
            Some(&self.rule),
        ];
        let further = [&self.column, &self.end_line, &self.end_column, &self.message];
        let all = pointers.into_iter().flatten().chain(further.into_iter().flatten());
        let wrong = all
            .filter(|pointer| !pointer.is_empty())
            .find(|pointer| !pointer.starts_with('/'));
        wrong.map_or(Ok(()), |pointer| {
            Err(format!("output: {pointer:?} is no JSON pointer; they begin with /"))
        })
    }

    pub(super) fn read(&self, text: &str) -> Result<Said, String> {
        let value = parsed(text)?;
        let list = value.pointer(&self.findings).and_then(Value::as_array);
        let list = list.ok_or_else(|| no_list(&value, "findings", &self.findings))?;
        let all: Result<Vec<RawFinding>, String> = list.iter().map(|item| self.finding(item)).collect();
        let mut said = sorted_out(all?, &self.unreadable);
        if let Some(errors) = &self.errors {
            let list = value.pointer(errors).and_then(Value::as_array);
            for item in list.ok_or_else(|| no_list(&value, "errors", errors))? {
                let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                let path = text(&self.error_path);
                let path = path.ok_or_else(|| missing(item, "error-path", &self.error_path))?;
                said.unreadable
                    .push((path, text(&self.error_message).unwrap_or_default()));
            }
        }
        Ok(said)
    }

    fn finding(&self, item: &Value) -> Result<RawFinding, String> {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let number = |pointer: &str| {
            item.pointer(pointer)
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok())
        };
        let end = self
            .end_line
            .as_deref()
            .and_then(number)
            .zip(self.end_column.as_deref().and_then(number));
        Ok(RawFinding {
            path: text(&self.path).ok_or_else(|| missing(item, "path", &self.path))?,
            line: number(&self.line).ok_or_else(|| missing(item, "line", &self.line))?,
            column: self.column.as_deref().and_then(number),
            end,
            // Some tools have rows without a rule, for files that they could not parse.
            rule: text(&self.rule).unwrap_or_default(),
            message: self.message.as_deref().and_then(text).unwrap_or_default(),
            columns: self.columns,
        })
    }
}

fn no_list(value: &Value, key: &str, pointer: &str) -> String {
    format!("its JSON has no list at {pointer:?} (output.{key}){}", members(value))
}

fn missing(item: &Value, key: &str, pointer: &str) -> String {
    format!("an item in its JSON has no {pointer} (output.{key}){}", members(item))
}

/// `; it has a, b`
fn members(value: &Value) -> String {
    let names = value.as_object().into_iter().flatten();
    let names: Vec<String> = names.map(|(name, _)| format!("/{name}")).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; it has {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Json {
        let text = r#"
findings = "/messages"
path = "/path"
line = "/at/line"
column = "/at/column"
rule = "/id"
unreadable = ["", "E1"]
"#;
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn parts_are_found_by_pointers_and_unreadable_files_told_apart() {
        let text = r#"{"messages": [
            {"path": "a.py", "at": {"line": 3, "column": 4}, "id": "R1"},
            {"path": "b.py", "at": {"line": 1}, "id": null}]}"#;
        let said = reader().read(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(said.findings.len(), 1);
        assert_eq!((said.findings[0].line, said.findings[0].column), (3, Some(4)));
        assert_eq!(said.unreadable, [("b.py".to_owned(), String::new())]);
    }

    #[test]
    fn files_that_could_not_be_read_may_stand_in_a_list_of_their_own() {
        let mut reader = reader();
        reader.errors = Some("/errors".to_owned());
        reader.error_path = "/file".to_owned();
        reader.error_message = "/why".to_owned();
        let text = r#"{"messages": [], "errors": [{"file": "a.py", "why": "syntax"}]}"#;
        let said = reader.read(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(said.unreadable, [("a.py".to_owned(), "syntax".to_owned())]);
        assert!(
            reader
                .read(r#"{"messages": []}"#)
                .unwrap_err()
                .contains("(output.errors)")
        );
    }

    #[test]
    fn what_is_no_such_output_is_an_error_and_not_silence() {
        let wrong = |text: &str| reader().read(text).unwrap_err();
        assert!(wrong("").contains("printed nothing"));
        assert!(wrong("{\"messages\": [").contains("not JSON"));
        assert!(wrong(r#"{"results": []}"#).contains("no list at \"/messages\" (output.findings); it has /results"));
        assert!(wrong(r#"{"messages": [{"path": "a.py"}]}"#).contains("no /at/line (output.line); it has /path"));
    }
}
