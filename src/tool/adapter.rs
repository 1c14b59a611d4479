//! One tool as data: `adapters/NAME.toml`, or a user's file of the same form. `adapters/README.md` says what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use include_dir::{Dir, include_dir};
use regex::Regex;
use serde::Deserialize;

use super::error::ToolError;
use super::read::{Format, Said};
use crate::leak::Pattern;

static BUILT_IN: Dir = include_dir!("$CARGO_MANIFEST_DIR/src/tool/adapters");

/// What the file says; patterns are still words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    id: String,
    about: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    version: Vec<String>,
    least_version: Option<String>,
    #[serde(default = "only_zero")]
    accepted_exits: Vec<i32>,
    #[serde(default = "hundred")]
    batch: usize,
    #[serde(default = "two_minutes")]
    time_limit: u64,
    output: Format,
    #[serde(default)]
    rules: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    rules_by_name: bool,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    canary: Canary,
}

fn only_zero() -> Vec<i32> {
    vec![0]
}

const fn hundred() -> usize {
    100
}

const fn two_minutes() -> u64 {
    120
}

/// Stands in the leaking canary behind what must be reported.
pub const CANARY_MARK: &str = "# leak";

/// Two modules that prove an adapter before every run: one must be reported, one must not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    pub leak: String,
    pub safe: String,
}

#[derive(Clone, Debug)]
pub struct Adapter {
    pub id: String,
    pub about: String,
    /// Program and arguments; `{files}` stands for the paths, `{dir}` for their folder, `{here}` for the folder in which
    /// leakbench was started. No shell sees them. Empty: the tool runs elsewhere, and its SARIF is judged.
    pub command: Vec<String>,
    /// Prints the version: the first number with a dot counts.
    pub version: Vec<String>,
    pub least_version: Option<String>,
    /// Exit codes that are no failure: many tools exit with 1 if they find something.
    pub accepted_exits: Vec<i32>,
    /// Files in one call.
    pub batch: usize,
    /// For one call, whatever the baseline took.
    pub time_limit: Duration,
    pub format: Format,
    pub rules: BTreeMap<String, Vec<Pattern>>,
    /// A rule that is called as a pattern claims that pattern; what stands before a dot is no part of its name.
    pub rules_by_name: bool,
    /// Other names under which the tool may report a rule.
    pub aliases: BTreeMap<String, String>,
    pub canary: Canary,
    /// A user's file, for messages; empty if it is built in.
    pub file: String,
    /// As it stands there.
    pub text: String,
}

impl Adapter {
    /// A built-in one by its id, or a file.
    pub fn find(name: &str) -> Result<Self, ToolError> {
        if Path::new(name).extension().is_none() {
            let file = BUILT_IN.get_file(format!("{name}.toml"));
            let text = file.and_then(|file| file.contents_utf8());
            let text = text.ok_or_else(|| ToolError::Unknown(name.to_owned()))?;
            return Self::parse(&format!("adapters/{name}.toml"), text);
        }
        let text = fs::read_to_string(Path::new(name));
        let text = text.map_err(|error| ToolError::adapter(name, error.to_string()))?;
        Self::parse(name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self, ToolError> {
        let wrong = |message: String| ToolError::adapter(name, message);
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut rules = BTreeMap::new();
        for (rule, patterns) in &file.rules {
            let parsed: Result<Vec<Pattern>, _> = patterns.iter().map(|pattern| pattern.parse()).collect();
            rules.insert(
                rule.clone(),
                parsed.map_err(|error| wrong(format!("rules.{rule}: {error}")))?,
            );
        }
        let adapter = Self {
            id: file.id,
            about: file.about,
            command: file.command,
            version: file.version,
            least_version: file.least_version,
            accepted_exits: file.accepted_exits,
            batch: file.batch,
            time_limit: Duration::from_secs(file.time_limit),
            format: file.output,
            rules,
            rules_by_name: file.rules_by_name,
            aliases: file.aliases,
            canary: file.canary,
            file: if name.starts_with("adapters/") {
                String::new()
            } else {
                name.to_owned()
            },
            text: text.to_owned(),
        };
        adapter.check().map_err(wrong)?;
        Ok(adapter)
    }

    fn check(&self) -> Result<(), String> {
        if self.rules.is_empty() && !self.rules_by_name {
            return Err("rules: needs at least one, or rules-by-name = true".to_owned());
        }
        if let Some((alias, rule)) = self.aliases.iter().find(|(_, rule)| !self.rules.contains_key(*rule)) {
            return Err(format!("aliases.{alias}: there is no rule {rule}"));
        }
        if !self.runs_here() {
            return Ok(());
        }
        let places = |word: &&String| ["{files}", "{dir}"].contains(&word.as_str());
        if self.command.iter().skip(1).filter(places).count() != 1 {
            return Err("command: needs {files} or {dir} once, as an argument of its own".to_owned());
        }
        if self.version.is_empty() {
            return Err("version: needs a program and arguments".to_owned());
        }
        if self.batch == 0 || self.time_limit.is_zero() {
            return Err("batch and time-limit must be above 0".to_owned());
        }
        if self.canary.leak.is_empty() || self.canary.safe.is_empty() {
            return Err("canary: needs leak and safe, two modules that prove that the tool is read right".to_owned());
        }
        // Indented, for at the start of a line a column that is counted wrongly does no harm.
        let marked = self.canary.leak.lines().find(|line| line.contains(CANARY_MARK));
        if !marked.is_some_and(|line| line.starts_with([' ', '\t'])) {
            return Err(format!(
                "canary.leak: needs `{CANARY_MARK}` behind the statement that the tool must report, which must be indented"
            ));
        }
        self.format.check()
    }

    /// For messages: with the file that is to be mended.
    pub fn name(&self) -> String {
        match self.file.as_str() {
            "" => self.id.clone(),
            file => format!("{} ({file})", self.id),
        }
    }

    pub fn runs_here(&self) -> bool {
        !self.command.is_empty()
    }

    /// Everything that some rule of it claims; not known of rules that go by name.
    pub fn claims(&self) -> Option<BTreeSet<Pattern>> {
        (!self.rules_by_name).then(|| self.rules.values().flatten().copied().collect())
    }

    /// The name that a rule goes by in `rules`.
    pub fn rule<'a>(&'a self, reported: &'a str) -> &'a str {
        self.aliases.get(reported).map_or(reported, String::as_str)
    }

    /// What a rule claims; nothing for one that speaks of something else.
    pub fn patterns_of(&self, reported: &str) -> Vec<Pattern> {
        let by_name = || {
            let name = reported.rsplit('.').next().filter(|_| self.rules_by_name)?;
            Some(vec![name.parse().ok()?])
        };
        let listed = self.rules.get(self.rule(reported)).cloned();
        listed.or_else(by_name).unwrap_or_default()
    }

    /// What its output says; the error says why it is no such output.
    pub fn read(&self, output: &[u8]) -> Result<Said, String> {
        self.format.read(output)
    }

    /// The version in what the version command has printed.
    pub fn version_in(&self, printed: &str) -> Result<String, String> {
        let number = Regex::new(r"\d+(?:\.\d+)+[\w.+-]*").map_err(|error| error.to_string())?;
        let found = number.find(printed).map(|found| found.as_str().to_owned());
        let found = found.ok_or_else(|| format!("`{}` prints no version", self.version.join(" ")))?;
        match &self.least_version {
            Some(least) if numbers(&found) < numbers(least) => Err(format!(
                "is version {found}; this adapter was made for {least} or later"
            )),
            _ => Ok(found),
        }
    }
}

fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split('.');
    let digits = parts.map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.map(|digits| digits.parse().unwrap_or(0)).collect()
}

/// The built-in ones, by id.
pub fn known_adapters() -> Result<Vec<Adapter>, ToolError> {
    let mut names: Vec<&str> = BUILT_IN
        .files()
        .filter_map(|file| file.path().to_str()?.strip_suffix(".toml"))
        .collect();
    names.sort_unstable();
    names.into_iter().map(Adapter::find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAPTER: &str = r#"
id = "tool"
about = "one"
command = ["tool", "{files}"]
version = ["tool", "--version"]
least-version = "0.9.2"
output = { format = "lines", pattern = '(?P<path>[^:]+):(?P<line>\d+): (?P<rule>\w+)' }
rules = { R1 = ["never-released"] }
canary = { leak = " 1 # leak", safe = "2" }
"#;

    #[test]
    fn every_built_in_adapter_is_sound() {
        let all = known_adapters().unwrap_or_else(|error| panic!("{error}"));
        assert!(all.len() >= 3);
        for adapter in all {
            assert!(
                BUILT_IN.get_file(format!("{}.toml", adapter.id)).is_some(),
                "{}",
                adapter.id
            );
        }
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |from: &str, to: &str| {
            let error = Adapter::parse("my.toml", &ADAPTER.replace(from, to))
                .map(|_| ())
                .unwrap_err();
            error.to_string()
        };
        assert!(Adapter::parse("my.toml", ADAPTER).is_ok());
        assert!(wrong("about", "abuot").starts_with("my.toml: TOML parse error at line 3"));
        assert!(wrong("\"{files}\"", "\"files\"").contains("needs {files} or {dir} once"));
        assert!(wrong("never-released", "leak").starts_with("my.toml: rules.R1: no pattern is called"));
        assert!(wrong("# leak", "").contains("canary.leak: needs `# leak` behind the statement"));
        assert!(wrong("(?P<line>\\d+)", "\\d+").contains("no group called line"));
        assert!(
            wrong("canary = {", "aliases = { one = \"R2\" }\ncanary = {").contains("aliases.one: there is no rule R2")
        );
    }

    #[test]
    fn rules_are_listed_or_go_by_their_names() {
        let text = ADAPTER.replace(
            "rules = {",
            "rules-by-name = true\naliases = { one = \"R1\" }\nrules = {",
        );
        let adapter = Adapter::parse("my.toml", &text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(adapter.patterns_of("one"), [Pattern::NeverReleased]);
        assert_eq!(adapter.patterns_of("rules.held-globally"), [Pattern::HeldGlobally]);
        assert_eq!(adapter.patterns_of("rules.other"), []);
    }

    #[test]
    fn versions_are_compared_by_number() {
        let adapter = Adapter::parse("my.toml", ADAPTER).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(adapter.version_in("tool 0.10.0 (x)\n"), Ok("0.10.0".to_owned()));
        assert!(
            adapter
                .version_in("tool 0.9.1")
                .unwrap_err()
                .contains("is version 0.9.1")
        );
        assert!(adapter.version_in("hello").unwrap_err().contains("prints no version"));
    }
}
