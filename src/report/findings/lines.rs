//! One line per finding: to grep, as annotations of GitHub, as CSV.

use std::fmt::Write as _;

use super::{Level, Located, level};

/// `path:line:column: confidence rule: message`.
pub fn concise(found: &[Located]) -> String {
    let lines = found.iter().map(|found| {
        let (start, finding) = (found.region.start, &found.finding);
        let message = finding.message.replace(['\n', '\r'], " ");
        format!(
            "{}:{}:{}: {} {}: {message}\n",
            found.path, start.line, start.column, finding.confidence, finding.rule
        )
    });
    lines.collect()
}

/// Workflow commands, which GitHub shows beside the lines of a change.
pub fn github(found: &[Located]) -> String {
    let lines = found.iter().map(|found| {
        let finding = &found.finding;
        let command = match level(finding.confidence) {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let (start, end) = (found.region.start, found.region.end);
        let mut place = format!("file={},line={}", property(&found.path), start.line);
        // Columns of a range of lines are refused.
        if start.line == end.line {
            let _ = write!(place, ",col={},endColumn={}", start.column, end.column);
        } else {
            let _ = write!(place, ",endLine={}", end.line);
        }
        let title = property(&format!("leakbench {}", finding.rule));
        format!("::{command} {place},title={title}::{}\n", data(&message(found)))
    });
    lines.collect()
}

fn message(found: &Located) -> String {
    let mut text = found.finding.message.clone();
    for step in &found.steps {
        let _ = write!(text, "\nline {}: {}", step.region.start.line, step.note);
    }
    if !found.finding.suggestion.is_empty() {
        let _ = write!(text, "\nhelp: {}", found.finding.suggestion);
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

const COLUMNS: [&str; 16] = [
    "path",
    "line",
    "column",
    "end_line",
    "end_column",
    "rule",
    "confidence",
    "resource",
    "qualname",
    "message",
    "suggestion",
    "leaves_line",
    "severity",
    "scope",
    "score",
    "fingerprint",
];

/// RFC 4180 with LF and a header, as the files of a record are.
pub fn csv(found: &[Located]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(COLUMNS);
    for each in found {
        let _ = writer.write_record(row(each));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

fn row(found: &Located) -> [String; COLUMNS.len()] {
    let finding = &found.finding;
    let impact = found.debt.as_ref().map(|item| item.impact);
    let leaves = found.steps.last().map(|step| step.region.start.line.to_string());
    [
        found.path.clone(),
        found.region.start.line.to_string(),
        found.region.start.column.to_string(),
        found.region.end.line.to_string(),
        found.region.end.column.to_string(),
        finding.rule.clone(),
        finding.confidence.to_string(),
        finding.resource.clone().unwrap_or_default(),
        found.qualname.clone(),
        finding.message.clone(),
        finding.suggestion.clone(),
        leaves.unwrap_or_default(),
        impact.map(|impact| impact.severity.to_string()).unwrap_or_default(),
        impact.map(|impact| impact.scope.to_string()).unwrap_or_default(),
        impact.map(|impact| format!("{:.3}", impact.score)).unwrap_or_default(),
        found.fingerprint.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::samples::{LEAKY, located};
    use super::*;

    #[test]
    fn annotations_escape_what_would_end_them() {
        let found = located("a,b:100%.py", LEAKY);
        let line = github(&found);
        assert!(
            line.starts_with(
                "::error file=a%2Cb%3A100%25.py,line=2,col=11,endColumn=21,title=leakbench release-skipped-on-path::`"
            ),
            "{line}"
        );
        assert!(line.contains("%0Aline 4: still open when"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let mut found = located("a,b.py", LEAKY);
        found[0].finding.message = "one \"two\"\nthree".to_owned();
        let text = csv(&found);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(COLUMNS.to_vec()));
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[0], &row[9], &row[11]), ("a,b.py", "one \"two\"\nthree", "4"));
        assert!(text.contains("\"one \"\"two\"\"\nthree\""));
    }
}
