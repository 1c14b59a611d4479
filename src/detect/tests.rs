//! Runs the pages of cases, and holds the suite to its promises.

use super::*;
use crate::python::Source;

/// The Python blocks of a page, with the line each starts on.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (number, line) in page.lines().enumerate() {
        match (line.starts_with("```"), open.take()) {
            (true, None) => open = line.starts_with("```py").then(|| (number + 1, String::new())),
            (true, Some(block)) => blocks.push(block),
            (false, Some((start, code))) => open = Some((start, code + line + "\n")),
            (false, None) => {}
        }
    }
    blocks
}

/// Why a line of a case is not as its mark says.
fn complaint(line: &str, found: Option<&Finding>) -> Option<&'static str> {
    let mark = line
        .rsplit_once("# ")
        .map_or("", |(_, mark)| mark.split(':').next().unwrap_or("").trim());
    match (mark, found) {
        ("leak", None) => Some("not found"),
        ("todo-leak", Some(_)) => Some("is found now: promote it to `leak`"),
        ("todo-ok", None) => Some("is silent now: remove the mark"),
        ("leak" | "todo-ok", Some(_)) | (_, None) => None,
        (_, Some(_)) => Some("must stay silent"),
    }
}

fn complaints(detector: &dyn PythonResourceDetector, start: usize, code: &str) -> Vec<String> {
    let module = Module::parse("case.py", Source::from_text(code)).unwrap();
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let findings = detector.detect_issues(&analysed);
    let each = code.lines().enumerate().filter_map(|(at, line)| {
        let found = findings
            .iter()
            .find(|finding| analysed.line(finding.span.start) as usize == at + 1);
        let why = complaint(line, found)?;
        let message = found.map_or("", |finding| &finding.message);
        Some(format!("line {}: {why}: {} {message}", start + at + 1, line.trim()))
    });
    each.collect()
}

#[test]
fn pages_hold() {
    let mut wrong = Vec::new();
    for detector in suites().iter().flat_map(|suite| &suite.detectors) {
        let page = detector.info().page;
        let title = page.lines().next().unwrap();
        assert!(page.contains("\n## Cases"), "{title}");
        for (start, code) in blocks(page) {
            let of_page = |complaint| format!("{title} {complaint}");
            wrong.extend(complaints(*detector, start, &code).into_iter().map(of_page));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
