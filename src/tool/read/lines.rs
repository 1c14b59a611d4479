//! One finding a line, taken apart by a regular expression with named groups.

use regex::Regex;
use serde::Deserialize;

use super::{Columns, RawFinding, Said, sorted_out};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lines {
    /// With groups `path`, `line` and `rule`, and if there are any `column`, `end_line`, `end_column`, `message`.
    pattern: String,
    /// Lines that say nothing: headings, totals.
    #[serde(default)]
    ignore: Vec<String>,
    /// Rules that say that a file could not be read.
    #[serde(default)]
    unreadable: Vec<String>,
    #[serde(default)]
    columns: Columns,
}

const NEEDED: [&str; 3] = ["path", "line", "rule"];

impl Lines {
    pub(super) fn check(&self) -> Result<(), String> {
        let pattern = expression(&self.pattern)?;
        let has = |wanted: &&str| pattern.capture_names().flatten().any(|name| name == *wanted);
        if let Some(missing) = NEEDED.iter().find(|name| !has(name)) {
            return Err(format!("output.pattern: has no group called {missing}"));
        }
        self.ignore
            .iter()
            .try_for_each(|ignored| expression(ignored).map(|_| ()))
    }

    pub(super) fn read(&self, text: &str) -> Result<Said, String> {
        let pattern = expression(&self.pattern)?;
        let ignored: Vec<Regex> = self
            .ignore
            .iter()
            .map(|text| expression(text))
            .collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let group = |found: &regex::Captures, name: &str| found.name(name).map(|part| part.as_str().to_owned());
            let Some(found) = pattern.captures(line) else {
                if ignored.iter().any(|expression| expression.is_match(line)) {
                    continue;
                }
                return Err(format!("its output has a line of another form: {line:.120}"));
            };
            let number = |name: &str| group(&found, name).and_then(|digits| digits.parse().ok());
            all.push(RawFinding {
                path: group(&found, "path").unwrap_or_default(),
                line: number("line").ok_or_else(|| format!("no number of a line in {line:.120}"))?,
                column: number("column"),
                end: number("end_line").zip(number("end_column")),
                rule: group(&found, "rule").unwrap_or_default(),
                message: group(&found, "message").unwrap_or_default(),
                columns: self.columns,
            });
        }
        Ok(sorted_out(all, &self.unreadable))
    }
}

fn expression(text: &str) -> Result<Regex, String> {
    // The whole line, so that no part of it goes unread.
    Regex::new(&format!("^(?:{text})$")).map_err(|error| format!("output: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Lines {
        let text = r"
pattern = '(?P<path>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<rule>\S+) (?P<message>.*)'
ignore = ['\*+ Module .*']
unreadable = ['E999']
";
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn lines_are_findings_headings_or_an_error() {
        let text = "*** Module a\na.py:3:5: R1 not closed\n\nb.py:1:1: E999 no syntax\n";
        let said = reader().read(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(said.findings.len(), 1);
        assert_eq!(said.findings[0].message, "not closed");
        assert_eq!(said.unreadable, [("b.py".to_owned(), "no syntax".to_owned())]);
        assert!(reader().read("Traceback (most recent call last):").is_err());
        assert_eq!(reader().read("").map(|said| said.findings.len()), Ok(0));
    }
}
