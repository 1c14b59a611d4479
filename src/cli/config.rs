//! `leakbench.toml` and `[tool.leakbench]`: where the configuration is, what it says, and what is wrong with it.

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::arguments::{confidence, rule, suggestion};
use super::exit::Failure;
use crate::detect::{Config, Resource};
use crate::lab::exclude::Exclude;
use crate::leak::Confidence;
use crate::mutate::OwnResource;
use crate::python::names::is_builtin;
use crate::record::triage::hex;

const OWN_FILE: &str = "leakbench.toml";
const SHARED_FILE: &str = "pyproject.toml";

/// Where `leakbench` stands in a `pyproject.toml`.
const SHARED_TABLE: [&str; 2] = ["tool", "leakbench"];

#[derive(Clone, Debug, Args)]
pub(super) struct ConfigFile {
    /// Configuration [default: leakbench.toml, or pyproject.toml with [tool.leakbench], in this folder or one above]
    #[arg(
        long = "config",
        value_name = "FILE",
        env = "LEAKBENCH_CONFIG",
        hide_env_values = true
    )]
    path: Option<PathBuf>,
}

/// What a configuration says. Everything has a default, so that no file is as good as an empty one.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The folder that its globs start from; none without a file.
    pub folder: Option<PathBuf>,
    /// SHA-256 of the file; empty without one.
    pub sha256: String,
    pub check: CheckSettings,
    pub detectors: Config,
}

/// The keys beside those of the detectors.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CheckSettings {
    pub select: Vec<String>,
    pub ignore: Vec<String>,
    #[serde(deserialize_with = "least")]
    pub min_confidence: Option<Confidence>,
    pub exclude: Vec<String>,
    pub jobs: Option<usize>,
}

/// The keys of [`CheckSettings`]; all others are the detectors'.
const KEYS: [&str; 5] = ["select", "ignore", "min-confidence", "exclude", "jobs"];

fn least<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Confidence>, D::Error> {
    let word = String::deserialize(from)?;
    confidence(&word).map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    pub(super) fn exclude(&self) -> Result<Exclude, Failure> {
        let folder = self.folder.as_deref().unwrap_or(Path::new("."));
        Exclude::new(folder, &self.check.exclude).map_err(Failure::usage)
    }

    /// The entries for resources, as far as mutators can use them: what a call gives by itself, and a method that is not
    /// awaited releases.
    pub(super) fn mutable_resources(&self) -> Vec<OwnResource> {
        self.detectors.resource.iter().filter_map(own_resource).collect()
    }
}

fn own_resource(entry: &Resource) -> Option<OwnResource> {
    let release = entry.release.first()?;
    let only_with = match &entry.only_if {
        Some(condition) => Some(
            condition
                .strip_suffix("=True")
                .filter(|keyword| is_name(keyword))?
                .to_owned(),
        ),
        None => None,
    };
    let is_plain = !entry.is_async && !entry.ends_itself && entry.parts.is_empty() && entry.awaited.is_empty();
    is_plain.then(|| OwnResource {
        kind: entry.kind.clone(),
        callables: entry.acquire.clone(),
        release: release.clone(),
        with: entry.with_releases,
        only_with,
    })
}

impl ConfigFile {
    /// The file that is named, or else the nearest one from the working folder upward.
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        if let Some(path) = &self.path {
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            return settings(path, &text)?.ok_or_else(|| {
                let table = SHARED_TABLE.join(".");
                Failure::usage(format!("{}: has no table [{table}]", path.display()))
            });
        }
        let here = std::env::current_dir().map_err(|error| unreadable(Path::new("."), &error))?;
        for folder in here.ancestors() {
            for name in [OWN_FILE, SHARED_FILE] {
                let path = folder.join(name);
                let shown = path.strip_prefix(&here).unwrap_or(&path);
                if let Some(text) = text_if_there(&path)?
                    && let Some(found) = settings(shown, &text)?
                {
                    return Ok(found);
                }
            }
        }
        Ok(Settings::default())
    }
}

fn text_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("read {}: {error}", path.display()))
}

/// `None`: a `pyproject.toml` that says nothing about us.
fn settings(path: &Path, text: &str) -> Result<Option<Settings>, Failure> {
    let read = Reader { text, path }.read().map_err(Failure::usage)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    Ok(read.map(|(check, detectors)| Settings {
        folder: Some(folder.to_owned()),
        sha256: hex(&Sha256::digest(text.as_bytes())),
        check,
        detectors,
    }))
}

/// What is wrong, where: `file:line: key: message`.
#[derive(Debug)]
struct Fault {
    file: String,
    line: usize,
    key: String,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            key,
            message,
        } = self;
        write!(f, "{file}:{line}: ")?;
        if !key.is_empty() {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(message)
    }
}

/// A step to a value: a key of a table or a place in an array.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    At(usize),
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Reader<'_> {
    fn read(&self) -> Result<Option<(CheckSettings, Config)>, Fault> {
        let root = DeTable::parse(self.text).map_err(|error| self.fault(None, &error))?;
        let range = root.span();
        let root = Spanned::new(range, DeValue::Table(root.into_inner()));
        let Some(ours) = self.our_table(&root) else {
            return Ok(None);
        };
        let range = ours.span();
        let DeValue::Table(table) = ours.get_ref().clone() else {
            return Err(self.fault_at(range.start, "must be a table"));
        };
        let (mut own, mut detectors) = (DeTable::new(), DeTable::new());
        for (key, value) in table {
            let is_own = KEYS.contains(&key.get_ref().as_ref());
            if is_own { &mut own } else { &mut detectors }.insert(key, value);
        }
        let value = |table| ValueDeserializer::from(Spanned::new(range.clone(), DeValue::Table(table)));
        let read = |error: toml::de::Error| self.fault(Some(ours), &error);
        let check = CheckSettings::deserialize(value(own)).map_err(read)?;
        let detectors = Config::deserialize(value(detectors)).map_err(read)?;
        let wrong = wrong_entry(&check, &detectors);
        if let Some((steps, message)) = wrong {
            let at = place_of(ours, &steps);
            return Err(self.fault_at_in(Some(ours), at, message));
        }
        Ok(Some((check, detectors)))
    }

    fn our_table<'t>(&self, root: &'t Spanned<DeValue<'t>>) -> Option<&'t Spanned<DeValue<'t>>> {
        let is_shared = self.path.file_name().is_some_and(|name| name == SHARED_FILE);
        let steps: &[&str] = if is_shared { &SHARED_TABLE } else { &[] };
        steps
            .iter()
            .try_fold(root, |value, key| value.get_ref().as_table()?.get(*key))
    }

    fn fault(&self, ours: Option<&Spanned<DeValue<'_>>>, error: &toml::de::Error) -> Fault {
        let at = error.span().map_or(0, |range| range.start);
        let message = error.message().trim_end();
        let in_words = message
            .replace("expected a sequence", "expected a list")
            .replace("type: map", "type: table");
        let unknown = ours.and_then(|_| unknown_key(message));
        let mut fault = self.fault_at_in(ours, at, in_words);
        if ours.is_none() {
            let (before, after) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
            fault.key = key_around(before, after);
        }
        if let Some((key, mut known)) = unknown {
            // At the top our own keys are known as well as those that the detectors listed.
            if fault.key == key {
                known.extend(KEYS);
            }
            fault.message = format!("unknown key{}", suggestion(key, known));
        }
        fault
    }

    fn fault_at(&self, at: usize, message: impl Into<String>) -> Fault {
        self.fault_at_in(None, at, message)
    }

    fn fault_at_in(&self, ours: Option<&Spanned<DeValue<'_>>>, at: usize, message: impl Into<String>) -> Fault {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let mut key = String::new();
        if let Some(ours) = ours {
            write_key(ours, at, &mut key);
        }
        Fault {
            file: self.path.display().to_string(),
            line: before.split(|byte| *byte == b'\n').count(),
            key,
            message: message.into(),
        }
    }
}

/// From serde's words: the key, and those that stand there.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once('`')?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

/// Of a text that is no TOML: what stands before the `=` of the line in the middle.
fn key_around(before: &str, after: &str) -> String {
    let start = before.rsplit('\n').next().unwrap_or("");
    let line = format!("{start}{}", after.lines().next().unwrap_or(""));
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let is_key = key.chars().all(|each| each.is_alphanumeric() || "-_.\"".contains(each));
    if is_key { key.to_owned() } else { String::new() }
}

/// `resource[2].kind`, for a place in the key or in its value.
fn write_key(value: &Spanned<DeValue<'_>>, at: usize, into: &mut String) {
    let holds = |range: Range<usize>| range.contains(&at);
    match value.get_ref() {
        DeValue::Table(table) => {
            let inside = |(key, value): &(&Spanned<_>, &Spanned<DeValue<'_>>)| holds(key.span()) || reaches(value, at);
            if let Some((key, value)) = table.iter().find(inside) {
                if !into.is_empty() {
                    into.push('.');
                }
                into.push_str(key.get_ref());
                write_key(value, at, into);
            }
        }
        DeValue::Array(array) => {
            // A list of words is known by its key; only tables need a number.
            let tables = array.iter().enumerate().filter(|(_, each)| each.get_ref().is_table());
            for (number, each) in tables.filter(|(_, each)| reaches(each, at)) {
                let _ = write!(into, "[{}]", number + 1);
                write_key(each, at, into);
            }
        }
        _ => {}
    }
}

/// A table that has a header of its own is no longer than that, wherever its keys stand.
fn reaches(value: &Spanned<DeValue<'_>>, at: usize) -> bool {
    let below = match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| key.span().contains(&at) || reaches(value, at)),
        DeValue::Array(array) => array.iter().any(|each| reaches(each, at)),
        _ => false,
    };
    below || value.span().contains(&at)
}

/// Where a value stands; the place of what holds it if it is left out.
fn place_of(value: &Spanned<DeValue<'_>>, steps: &[Step<'_>]) -> usize {
    let next = steps.split_first().and_then(|(step, rest)| {
        let found = match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table.get(*key),
            (Step::At(number), DeValue::Array(array)) => array.get(*number),
            _ => None,
        };
        found.map(|found| place_of(found, rest))
    });
    next.unwrap_or(value.span().start)
}

/// The way to a wrong value, and what is wrong with it.
type Wrong = (Vec<Step<'static>>, String);

/// Entries that do not exist, could never match anything, or never be obeyed.
fn wrong_entry(check: &CheckSettings, detectors: &Config) -> Option<Wrong> {
    in_list("select", &check.select, unknown_rule)
        .or_else(|| in_list("ignore", &check.ignore, unknown_rule))
        .or_else(|| in_list("exclude", &check.exclude, broken_glob))
        .or_else(|| in_list("safe-callables", &detectors.safe_callables, undotted))
        .or_else(|| in_list("growth-methods", &detectors.growth_methods, no_method))
        .or_else(|| {
            let mut each = detectors.resource.iter().enumerate();
            each.find_map(|(number, resource)| {
                let (steps, message) = wrong_resource(resource)?;
                let way = [Step::Key("resource"), Step::At(number)].into_iter().chain(steps);
                Some((way.collect(), message))
            })
        })
}

fn wrong_resource(resource: &Resource) -> Option<Wrong> {
    let fault = |key, message: &str| Some((vec![Step::Key(key)], message.to_owned()));
    if resource.kind.trim().is_empty() {
        return fault("kind", "says nothing; name what is held, such as \"file\"");
    }
    if resource.acquire.is_empty() {
        return fault("acquire", "names no callable, so that nothing acquires it");
    }
    if resource.release.is_empty() && resource.functions.is_empty() {
        return fault(
            "release",
            "nothing releases it; give `release`, methods, or `functions`",
        );
    }
    if resource
        .only_if
        .as_ref()
        .is_some_and(|condition| !condition.contains('='))
    {
        return fault(
            "only-if",
            "is no condition; write `keyword=VALUE`, such as \"stream=True\"",
        );
    }
    let unknown = |name: &str| {
        let known = resource.release.iter().any(|release| release == name);
        (!known).then(|| format!("{name:?} is not among `release`"))
    };
    in_list("acquire", &resource.acquire, undotted)
        .or_else(|| in_list("release", &resource.release, no_method))
        .or_else(|| in_list("functions", &resource.functions, undotted))
        .or_else(|| in_list("awaited", &resource.awaited, unknown))
}

/// The first entry with which something is wrong.
fn in_list(key: &'static str, list: &[String], wrong: impl Fn(&str) -> Option<String>) -> Option<Wrong> {
    let mut entries = list.iter().enumerate();
    entries.find_map(|(number, entry)| Some((vec![Step::Key(key), Step::At(number)], wrong(entry)?)))
}

fn unknown_rule(id: &str) -> Option<String> {
    rule(id).err()
}

fn broken_glob(glob: &str) -> Option<String> {
    Exclude::new(Path::new("."), &[glob.to_owned()]).err()
}

fn no_method(name: &str) -> Option<String> {
    (!is_name(name)).then(|| format!("{name:?} is no name of a method"))
}

/// Callables go by the name that imports give them, with their module.
fn undotted(name: &str) -> Option<String> {
    if name.contains('.') && name.split('.').all(is_name) {
        return None;
    }
    let hint = if is_builtin(name) {
        format!("; write \"builtins.{name}\"")
    } else {
        ", such as \"package.module.function\"".to_owned()
    };
    Some(format!("{name:?} is no dotted name of a callable{hint}"))
}

fn is_name(word: &str) -> bool {
    let starts = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
    starts && word.chars().all(|each| each.is_alphanumeric() || each == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, text: &str) -> Result<Option<(CheckSettings, Config)>, String> {
        let path = Path::new(file);
        Reader { text, path }.read().map_err(|fault| fault.to_string())
    }

    fn fault(text: &str) -> String {
        read(OWN_FILE, text).unwrap_err()
    }

    #[test]
    fn everything_can_be_said() {
        let text = "\
select = ['never-released']
ignore = ['suppression']
min-confidence = 'low'
exclude = ['build/', '*_pb2.py']
jobs = 2
safe-callables = ['builtins.open']
growth-methods = ['push']
size-threshold = 10
cycle-depth = 4
[[resource]]
kind = 'lease'
acquire = ['pool.lease']
release = ['give_back']
only-if = 'hold=True'
";
        let (check, detectors) = read(OWN_FILE, text).unwrap().unwrap();
        assert_eq!(check.select, ["never-released"]);
        assert_eq!(check.min_confidence, Some(Confidence::Low));
        assert_eq!(check.jobs, Some(2));
        assert_eq!((detectors.cycle_depth, detectors.size_threshold), (4, 10));
        assert_eq!(detectors.resource[0].only_if.as_deref(), Some("hold=True"));
    }

    #[test]
    fn of_a_shared_file_only_our_table_counts() {
        assert!(read(SHARED_FILE, "[tool.other]\nselect = 1\n").unwrap().is_none());
        let text = "[project]\nname = 'x'\n\n[tool.leakbench]\njobs = 3\n[[tool.leakbench.resource]]\nkind = 'x'\nacquire = ['a.b']\nrelease = ['c']\n";
        let (check, detectors) = read(SHARED_FILE, text).unwrap().unwrap();
        assert_eq!((check.jobs, detectors.resource.len()), (Some(3), 1));
        let wrong = text.replace("release", "relaese");
        assert_eq!(
            read(SHARED_FILE, &wrong).unwrap_err(),
            "pyproject.toml:9: `resource[1].relaese`: unknown key; did you mean release?"
        );
    }

    #[test]
    fn faults_name_file_line_and_key() {
        let cases = [
            (
                "jobs = 1\nselct = []\n",
                "leakbench.toml:2: `selct`: unknown key; did you mean select?",
            ),
            (
                "# a comment\ncycle-dept = 1\n",
                "leakbench.toml:2: `cycle-dept`: unknown key; did you mean cycle-depth?",
            ),
            (
                "select = [\n  'never-released',\n  'never-relesed',\n]\n",
                "leakbench.toml:3: `select`: no such pattern; did you mean never-released?",
            ),
            (
                "min-confidence = 'sure'\n",
                "leakbench.toml:1: `min-confidence`: \"sure\" is none of",
            ),
            (
                "jobs = 'two'\n",
                "leakbench.toml:1: `jobs`: invalid type: string \"two\", expected usize",
            ),
            ("jobs = -1\n", "leakbench.toml:1: `jobs`: invalid value: integer `-1`"),
            ("exclude = ['a/{b']\n", "leakbench.toml:1: `exclude`: "),
            ("jobs = 1\njobs = 2\n", "leakbench.toml:2: `jobs`: duplicate key"),
            ("select = [\n", "leakbench.toml:1: `select`: unclosed array"),
            (
                "exclude = 'x'\n",
                "leakbench.toml:1: `exclude`: invalid type: string \"x\", expected a list",
            ),
            (
                "safe-callables = ['open']\n",
                "leakbench.toml:1: `safe-callables`: \"open\" is no dotted name of a callable; write \"builtins.open\"",
            ),
            (
                "growth-methods = ['a.b']\n",
                "leakbench.toml:1: `growth-methods`: \"a.b\" is no name of a method",
            ),
        ];
        for (text, expected) in cases {
            let said = fault(text);
            assert!(said.starts_with(expected), "{said}\n{expected}");
        }
    }

    #[test]
    fn entries_of_resources_are_held_to_what_they_need() {
        let entry = |lines: &str| fault(&format!("jobs = 1\n[[resource]]\nkind = 'lease'\n{lines}\n"));
        let cases = [
            (
                "release = ['x']",
                "leakbench.toml:2: `resource[1]`: missing field `acquire`",
            ),
            (
                "acquire = ['a.b']\n",
                "leakbench.toml:2: `resource[1]`: nothing releases it",
            ),
            (
                "acquire = ['a.b', 'c']\nrelease = ['x']",
                "leakbench.toml:4: `resource[1].acquire`: \"c\" is no dotted",
            ),
            (
                "acquire = ['a.b']\nrelease = ['x']\nawaited = ['y']",
                "leakbench.toml:6: `resource[1].awaited`: \"y\" is not among `release`",
            ),
            (
                "acquire = ['a.b']\nrelease = ['x']\nonly-if = 'hold'",
                "leakbench.toml:6: `resource[1].only-if`: is no condition",
            ),
            (
                "acquire = ['a.b']\nrelease = ['x']\nwiht = true",
                "leakbench.toml:6: `resource[1].wiht`: unknown key; did you mean with?",
            ),
        ];
        for (lines, expected) in cases {
            let said = entry(lines);
            assert!(said.starts_with(expected), "{said}\n{expected}");
        }
    }
}
