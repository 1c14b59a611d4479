//! Holds the walker against CPython's `ast`: the same nodes at the same bytes over the standard
//! library of the `python3` at hand (or of `$PYTHON`). `LEAKBENCH_FULL=1` takes every file of it.
//!
//! What is known to differ stands in [`DEVIATIONS`] and [`MISSING`], each as narrow as it can be said, and is
//! counted. Everything else fails.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use leakbench::python::{Module, Node, Source, Span};
use serde::Deserialize;

const SAMPLE: usize = 150;

/// What `dump_ast.py` prints of one file.
#[derive(Deserialize)]
struct Dump {
    path: String,
    error: Option<String>,
    #[serde(default)]
    nodes: Vec<(String, u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    start: u32,
    end: u32,
    kind: &'a str,
}

impl Place<'_> {
    fn span(self) -> Span {
        Span::new(self.start, self.end)
    }
}

/// One file as both see it.
struct Both<'a> {
    text: &'a str,
    ours: Vec<Place<'a>>,
    theirs: Vec<Place<'a>>,
}

/// A way in which CPython's node may differ from the one the walker gives in its stead.
struct Deviation {
    reason: &'static str,
    /// Takes the file, our node and CPython's, which are of one kind.
    explains: fn(&Both<'_>, Place<'_>, Place<'_>) -> bool,
}

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        reason: "a generator that is the only argument lacks the brackets of the call",
        explains: |both, ours, theirs| {
            let inside = theirs.start < ours.start && ours.end < theirs.end;
            ours.kind == "GeneratorExp"
                && inside
                && is_only(both.text, theirs.start, ours.start, "(")
                && is_only(both.text, ours.end, theirs.end, ")")
        },
    },
    Deviation {
        reason: "a block that ends in a semicolon ends before it",
        explains: |both, ours, theirs| {
            let blocks = ["FunctionDef", "AsyncFunctionDef", "ClassDef", "If", "For", "AsyncFor"];
            let more_blocks = ["While", "With", "AsyncWith", "Try", "TryStar", "Match", "ExceptHandler"];
            (blocks.contains(&ours.kind) || more_blocks.contains(&ours.kind))
                && ours.start == theirs.start
                && ours.end < theirs.end
                && is_only(both.text, ours.end, theirs.end, ";")
        },
    },
    Deviation {
        reason: "a `:=` whose value is in brackets lacks the closing ones",
        explains: |both, ours, theirs| {
            ours.kind == "NamedExpr"
                && ours.start == theirs.start
                && ours.end < theirs.end
                && is_only(both.text, ours.end, theirs.end, ")")
        },
    },
    Deviation {
        reason: "a bare tuple after `match` has the span of the whole statement",
        explains: |both, ours, theirs| {
            let is_statement = |place: &Place<'_>| place.kind == "Match" && place.span() == ours.span();
            ours.kind == "Tuple" && ours.span().contains(theirs.span()) && both.ours.iter().any(is_statement)
        },
    },
    Deviation {
        reason: "a bare tuple in an f-string takes the braces in",
        explains: |both, ours, theirs| {
            ours.kind == "Tuple"
                && both.literal_of(theirs).is_some()
                && is_only(both.text, ours.start, theirs.start, "{")
                && both.text[theirs.end as usize..].starts_with(['}', '!', ':', '=', ' '])
        },
    },
    Deviation {
        reason: "the pieces, fields and formats of an f-string have the span of a literal",
        explains: |both, ours, theirs| {
            let pieces = ["Constant", "FormattedValue", "JoinedStr"];
            pieces.contains(&ours.kind)
                && both.literal_of(theirs).is_some()
                && both.literal_of(ours) == both.literal_of(theirs)
        },
    },
];

/// A kind of node that CPython gives and the walker has no counterpart for.
struct Missing {
    reason: &'static str,
    explains: fn(&Both<'_>, Place<'_>) -> bool,
}

const MISSING: &[Missing] = &[
    Missing {
        reason: "a lone `*item` in an index is no tuple",
        explains: |both, theirs| {
            let is_starred = |place: &Place<'_>| place.kind == "Starred" && place.span() == theirs.span();
            theirs.kind == "Tuple" && both.theirs.iter().any(is_starred)
        },
    },
    Missing {
        reason: "the tuple of `match item,:` is lost",
        explains: |both, theirs| {
            let is_subject =
                |place: &Place<'_>| place.kind == "Match" && is_only(both.text, place.start, theirs.start, "match");
            theirs.kind == "Tuple" && theirs.span().of(both.text).ends_with(',') && both.theirs.iter().any(is_subject)
        },
    },
    Missing {
        reason: "an empty piece of an f-string is left out",
        explains: |both, theirs| {
            theirs.kind == "Constant" && theirs.span().is_empty() && both.literal_of(theirs).is_some()
        },
    },
];

impl Both<'_> {
    /// The outermost f-string around a node. Those spans agree; what has the literal's own span
    /// lies in it too.
    fn literal_of(&self, place: Place<'_>) -> Option<Span> {
        let literals = self.theirs.iter().filter(|literal| literal.kind == "JoinedStr");
        let around = literals.filter(|literal| literal.span().contains(place.span()));
        around.map(|literal| literal.span()).max_by_key(|span| span.len())
    }
}

/// Whether the text between two offsets is `sign` once or more, with blanks and comments around it.
fn is_only(text: &str, start: u32, end: u32, sign: &str) -> bool {
    if start >= end {
        return false;
    }
    let lines = Span::new(start, end).of(text).lines();
    let code = lines.map(|line| line.split('#').next().unwrap_or(line));
    let rest = code.collect::<String>().replace(['\\', ' ', '\t', '\x0c'], "");
    !rest.is_empty() && rest.replace(sign, "").is_empty()
}

#[derive(Default)]
struct Tally {
    files: usize,
    nodes: usize,
    deviations: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Tally {
    fn count(&mut self, reason: &'static str) {
        *self.deviations.entry(reason).or_default() += 1;
    }

    fn add(&mut self, dump: &Dump) {
        let bytes = std::fs::read(&dump.path).expect("python has just read it");
        let module = Source::load(&bytes).and_then(|source| Module::parse(dump.path.as_str(), source));
        match (module, &dump.error) {
            (Err(_), Some(_)) => self.count("refused by both"),
            (Ok(_), Some(error)) => self.failures.push(format!("{}: python says {error}", dump.path)),
            (Ok(module), None) => self.compare(&module, dump),
            (Err(error), None) => {
                let text = String::from_utf8_lossy(&bytes);
                let line = text.lines().nth(error.line.unwrap_or(1) as usize - 1).unwrap_or("");
                if has_f_string(line) {
                    self.count("refused: an f-string with quotes that the parser does not know");
                } else {
                    self.failures.push(format!("{}:{:?}: {error}", dump.path, error.line));
                }
            }
        }
    }

    fn compare(&mut self, module: &Module, dump: &Dump) {
        let both = Both {
            text: module.text(),
            ours: sorted(module.nodes().filter(|node| is_located(*node)).map(place_of)),
            theirs: sorted(dump.nodes.iter().map(|(kind, start, end)| Place {
                start: *start,
                end: *end,
                kind,
            })),
        };
        self.files += 1;
        self.nodes += both.theirs.len();
        let mut ours = difference(&both.ours, &both.theirs);
        for theirs in difference(&both.theirs, &both.ours) {
            if let Some(reason) = explain(&both, &mut ours, theirs) {
                self.count(reason);
            } else {
                self.fail(module, "only in CPython's tree", theirs);
            }
        }
        for place in ours {
            self.fail(module, "only in ours", place);
        }
    }

    fn fail(&mut self, module: &Module, side: &str, place: Place<'_>) {
        let line = module.lines.line_of(place.start) + 1;
        let text = place.span().of(module.text());
        self.failures
            .push(format!("{}:{line}: {side}: {} {text:?}", module.path, place.kind));
    }
}

fn explain<'a>(both: &Both<'a>, ours: &mut Vec<Place<'a>>, theirs: Place<'a>) -> Option<&'static str> {
    for deviation in DEVIATIONS {
        let found = ours
            .iter()
            .position(|ours| ours.kind == theirs.kind && (deviation.explains)(both, *ours, theirs));
        if let Some(at) = found {
            ours.remove(at);
            return Some(deviation.reason);
        }
    }
    let missing = MISSING.iter().find(|missing| (missing.explains)(both, theirs));
    missing.map(|missing| missing.reason)
}

/// The parser does not know the quotes of `f'{' '}'`, which 3.12 brought, nor of `f"{'''x'''}"`.
fn has_f_string(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["f'", "f\""].iter().any(|prefix| lower.contains(prefix))
}

/// CPython's `ast` gives the others no place.
fn is_located(node: Node<'_>) -> bool {
    !matches!(
        node,
        Node::Arguments(_) | Node::Parameter(_) | Node::WithItem(_) | Node::Case(_) | Node::Comprehension(_)
    )
}

fn place_of(node: Node<'_>) -> Place<'_> {
    let span = node.span();
    Place {
        start: span.start,
        end: span.end,
        kind: node.kind(),
    }
}

fn sorted<'a>(places: impl Iterator<Item = Place<'a>>) -> Vec<Place<'a>> {
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places
}

/// What `left` has and `right` has not, each as often as it is missing. Both are sorted.
fn difference<'a>(left: &[Place<'a>], right: &[Place<'a>]) -> Vec<Place<'a>> {
    let (mut only, mut right) = (Vec::new(), right.iter().peekable());
    for place in left {
        while right.next_if(|other| *other < place).is_some() {}
        if right.next_if_eq(&place).is_none() {
            only.push(*place);
        }
    }
    only
}

fn script(python: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/dump_ast.py"));
    command
}

/// The version and every file; `None` where there is no such python.
fn standard_library(python: &str) -> Option<(String, Vec<String>)> {
    let output = script(python).arg("--list").output().ok()?;
    assert!(output.status.success(), "dump_ast.py --list failed");
    let text = String::from_utf8(output.stdout).expect("the script writes UTF-8");
    let mut lines = text.lines().map(str::to_owned);
    Some((lines.next()?, lines.collect()))
}

/// Feeds the paths to one python process and hands each of its answers to `take`.
fn dump(python: &str, paths: &[&str], mut take: impl FnMut(Dump)) {
    let mut child = script(python)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the same python has just run");
    let mut input = child.stdin.take().expect("it is piped");
    let output = child.stdout.take().expect("it is piped");
    let paths = paths.join("\n");
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(paths.as_bytes()));
        for line in BufReader::new(output).lines() {
            let line = line.expect("the script writes UTF-8");
            take(serde_json::from_str(&line).expect("the script writes JSON"));
        }
    });
    assert!(child.wait().expect("it was started").success(), "dump_ast.py failed");
}

#[expect(clippy::print_stderr, reason = "a test says what it skipped or counted")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn the_walker_sees_what_cpython_sees() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let Some((version, files)) = standard_library(&python) else {
        say(&format!("skipped: no {python}"));
        return;
    };
    let is_full = std::env::var_os("LEAKBENCH_FULL").is_some();
    let step = if is_full {
        1
    } else {
        files.len().div_ceil(SAMPLE).max(1)
    };
    let paths: Vec<_> = files.iter().step_by(step).map(String::as_str).collect();
    let mut tally = Tally::default();
    dump(&python, &paths, |dump| tally.add(&dump));
    say(&format!(
        "python {version}: {} files, {} nodes",
        tally.files, tally.nodes
    ));
    for (reason, count) in &tally.deviations {
        say(&format!("{count:8}  {reason}"));
    }
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n"));
    assert!(tally.files > paths.len() / 2, "too few files were compared");
}

#[test]
fn the_comparison_finds_what_is_missing() {
    let place = |start, kind| Place { start, end: 9, kind };
    let left = [place(1, "Name"), place(1, "Name"), place(2, "Call"), place(3, "Name")];
    assert_eq!(
        difference(&left, &[place(0, "Pass"), place(1, "Name"), place(3, "Name")]),
        [left[1], left[2]]
    );
    assert!(difference(&left, &left).is_empty());
    assert!(is_only("( # why)\n ", 0, 9, "(") && !is_only("(a", 0, 2, "("));
}
