//! `leakbench check`: the built-in suite on somebody's code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sha2::{Digest, Sha256};

use super::arguments::{Jobs, confidence, not_looked_at, rule};
use super::baseline::Baseline;
use super::config::{CheckSettings, ConfigFile, Settings};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::console;
use crate::detect::impact::{DebtItem, debt_item};
use crate::detect::suites_with;
use crate::lab::corpus::{Corpus, Entry, from_paths, of_text};
use crate::lab::exclude::Exclude;
use crate::lab::{Checked, Examined, examine, on_threads};
use crate::leak::{Confidence, Finding};
use crate::python::Module;
use crate::python::source::MAX_BYTES;
use crate::record::triage::hex;
use crate::report::findings::{Located, Report, Unlooked, concise, csv, debt, github, json, sarif, text};
use crate::report::{Column, Grid, Style};

/// Looks for resource leaks in your code with the built-in detectors
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no findings · 1 findings · 2 usage or configuration · 4 too much does not parse, or a damaged\n\
    baseline · 5 no Python there · 130 interrupted\n\n\
    A comment `# leakbench: ignore[PATTERN, …] reason` passes a finding over, on its line or alone on the line\n\
    above. Without a reason, with an unknown pattern, or with nothing to pass over, it is a finding itself\n\
    (rule `suppression`).\n\n\
    leakbench.toml, or [tool.leakbench] in pyproject.toml, can say: select, ignore, min-confidence, exclude, jobs,\n\
    safe-callables, growth-methods, size-threshold, cycle-depth and [[resource]] entries. The command line goes\n\
    before the environment (LEAKBENCH_SELECT, …), the environment before the file.\n\n\
    Examples:\n  \
    leakbench check src/\n  \
    leakbench check --select never-released,lock-not-released --min-confidence high src/ tests/\n  \
    leakbench check --format sarif app.py > leaks.sarif\n  \
    leakbench check --write-baseline known.json src/     then: leakbench check --baseline known.json src/\n  \
    leakbench check --stdin-filename src/app.py - < src/app.py"
)]
pub(super) struct Check {
    /// Files and folders of Python code; `-` is stdin
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    choice: Choice,
    /// Modules to leave out below the folders named, as in a .gitignore; may be given several times
    #[arg(
        long,
        value_name = "GLOB",
        env = "LEAKBENCH_EXCLUDE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    exclude: Vec<String>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    jobs: Jobs,
    /// What stdin is called in reports
    #[arg(long, value_name = "FILE")]
    stdin_filename: Option<PathBuf>,
    /// Report only what this file does not know
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all findings there as known; without --baseline, nothing is new then
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Exit with 0 even if there are findings
    #[arg(long)]
    exit_zero: bool,
}

/// Which findings are reported.
#[derive(Debug, Args)]
struct Choice {
    /// Report only these patterns (`leakbench list patterns`), or `suppression`
    #[arg(long, value_name = "PATTERN", env = "LEAKBENCH_SELECT", hide_env_values = true, value_delimiter = ',', value_parser = rule)]
    select: Vec<String>,
    /// Don't report these patterns
    #[arg(long, value_name = "PATTERN", env = "LEAKBENCH_IGNORE", hide_env_values = true, value_delimiter = ',', value_parser = rule)]
    ignore: Vec<String>,
    /// Findings below this are left out: low, medium, high [default: medium]
    #[arg(long, value_name = "CONFIDENCE", env = "LEAKBENCH_MIN_CONFIDENCE", hide_env_values = true, value_parser = confidence)]
    min_confidence: Option<Confidence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the lines of code
    Text,
    /// One line each
    Concise,
    /// Everything, for other programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub
    Github,
    /// One row each
    Csv,
    /// Technical-debt items, as JSON
    Debt,
}

/// What is reported, once command line, environment and file have been heard.
#[derive(Debug)]
struct Wanted {
    /// Empty: all.
    select: BTreeSet<String>,
    ignore: BTreeSet<String>,
    least: Confidence,
}

impl Choice {
    /// An option replaces what the file says. A selection on the command line was made with the eyes
    /// open, so that what the file ignores does not count against it.
    fn over(&self, file: &CheckSettings) -> Result<Wanted, Failure> {
        let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
        let (select, ignore) = if self.select.is_empty() {
            let ignored = if self.ignore.is_empty() {
                &file.ignore
            } else {
                &self.ignore
            };
            (set(&file.select), set(ignored))
        } else {
            (set(&self.select), set(&self.ignore))
        };
        if !select.is_empty() && select.is_subset(&ignore) {
            return Err(Failure::usage(
                "every pattern that is selected is ignored as well; nothing is left",
            ));
        }
        Ok(Wanted {
            select,
            ignore,
            least: self
                .min_confidence
                .or(file.min_confidence)
                .unwrap_or(Confidence::Medium),
        })
    }
}

impl Wanted {
    fn holds(&self, finding: &Finding) -> bool {
        let selected = self.select.is_empty() || self.select.contains(&finding.rule);
        selected && !self.ignore.contains(&finding.rule) && finding.confidence >= self.least
    }
}

impl Check {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let settings = self.config.load()?;
        let wanted = self.choice.over(&settings.check)?;
        let known = self.baseline.as_deref().map(Baseline::load).transpose()?;
        let corpora = self.corpora(&settings)?;
        let names = Names::of(&corpora);
        let suites = suites_with(&settings.detectors);
        let suite = suites
            .first()
            .ok_or_else(|| Failure::new(Exit::Internal, "there is no built-in suite"))?;
        let each = |entry: &Entry, module: &Module, checked: Vec<Checked>| {
            let name = names.of_entry(entry);
            let checked = checked.into_iter();
            checked.map(|checked| located(&name, module, checked)).collect()
        };
        let terminal = Terminal::new();
        let threads = self.jobs.threads(settings.check.jobs);
        let examined = on_threads(threads, || examine(&corpora, suite, &terminal, each));
        terminal.end();
        let mut examined = examined.and_then(|examined| examined)?;
        let unparsed = names.unlooked(&examined);
        not_looked_at(&unparsed);
        if let Some(known) = &known {
            tell_gone(known, &examined, &names.looked_at(&unparsed));
        }
        examined.found.retain(|found| wanted.holds(&found.finding));
        let against_baseline = self.hold_against(known, &mut examined)?;
        let report = Report {
            found: &examined.found,
            unparsed: &unparsed,
            against_baseline,
        };
        console::print(&self.shown(&report))?;
        summarize(&examined, against_baseline);
        Ok(self.conclude(&examined))
    }

    fn corpora(&self, settings: &Settings) -> Result<Vec<Corpus>, Failure> {
        if self.paths.iter().any(|path| path == Path::new("-")) {
            return self.stdin();
        }
        if self.stdin_filename.is_some() {
            return Err(Failure::usage(
                "--stdin-filename names what comes from stdin; give `-` as the path",
            ));
        }
        let mut corpora = from_paths(&self.paths)?;
        let exclude = if self.exclude.is_empty() {
            settings.exclude()?
        } else {
            Exclude::new(Path::new("."), &self.exclude)
                .map_err(|error| Failure::usage(format!("--exclude: {error}")))?
        };
        exclude.apply(&mut corpora);
        Ok(corpora)
    }

    fn stdin(&self) -> Result<Vec<Corpus>, Failure> {
        if self.paths.len() > 1 {
            return Err(Failure::usage("`-` is stdin, and cannot be mixed with other paths"));
        }
        let bytes =
            console::read(MAX_BYTES as u64 + 1).map_err(|error| Failure::usage(format!("read stdin: {error}")))?;
        let name = self.stdin_filename.as_deref().unwrap_or(Path::new("stdin.py"));
        Ok(vec![of_text(&slashed(name), bytes)])
    }

    /// Writes a baseline and leaves out what one knows; says whether one was asked.
    fn hold_against(&self, known: Option<Baseline>, examined: &mut Examined<Located>) -> Result<bool, Failure> {
        let mut known = known;
        if let Some(path) = &self.write_baseline {
            if examined.interrupted {
                console::warning("interrupted: no baseline is written");
                return Ok(known.is_some());
            }
            let now = Baseline::of(&examined.found);
            now.save(path)?;
            let count = counted(now.count(), "finding");
            console::note(&format!("{count} known from now on: {}", path.display()));
            known = known.or(Some(now));
        }
        let Some(known) = known else { return Ok(false) };
        examined.found.retain(|found| !known.knows(found));
        Ok(true)
    }

    fn shown(&self, report: &Report<'_>) -> String {
        let colour = console::stdout_has_colour();
        match self.format {
            Format::Text => text(report.found, Style { colour }),
            Format::Concise => concise(report.found),
            Format::Json => json(report),
            Format::Sarif => sarif(report),
            Format::Github => github(report.found),
            Format::Csv => csv(report.found),
            Format::Debt => debt(report),
        }
    }

    /// A module that could not be looked at must not pass for one without findings.
    fn conclude(&self, examined: &Examined<Located>) -> Exit {
        if examined.interrupted {
            console::warning("interrupted: not every module was looked at");
            return Exit::Interrupted;
        }
        if !examined.found.is_empty() && !self.exit_zero {
            return Exit::Failed;
        }
        let (modules, unparsed) = (examined.modules, examined.unparsed.len());
        if unparsed * 10 > modules {
            console::error(&format!(
                "{unparsed} of {modules} modules could not be parsed, more than one in ten"
            ));
            return Exit::Inconsistent;
        }
        Exit::Done
    }
}

/// How modules are called in reports.
struct Names {
    here: PathBuf,
    /// Of all modules, by corpus and path there.
    by_module: BTreeMap<(String, String), String>,
}

impl Names {
    fn of(corpora: &[Corpus]) -> Self {
        let here = std::env::current_dir().and_then(|folder| folder.canonicalize());
        let mut names = Self {
            here: here.unwrap_or_default(),
            by_module: BTreeMap::new(),
        };
        for corpus in corpora {
            for entry in &corpus.entries {
                let module = (corpus.name.clone(), entry.path.clone());
                names.by_module.insert(module, names.of_entry(entry));
            }
        }
        names
    }

    /// Relative to the working folder if the file lies below it.
    fn of_entry(&self, entry: &Entry) -> String {
        let file = entry.file().unwrap_or(Path::new(&entry.path));
        slashed(file.strip_prefix(&self.here).unwrap_or(file))
    }

    fn unlooked(&self, examined: &Examined<Located>) -> Vec<Unlooked> {
        let rows = examined.unparsed.iter().map(|row| {
            let module = (row.corpus.clone(), row.module.clone());
            let path = self.by_module.get(&module);
            Unlooked {
                path: path
                    .cloned()
                    .unwrap_or_else(|| format!("{}/{}", row.corpus, row.module)),
                line: row.line,
                reason: row.reason.clone(),
            }
        });
        rows.collect()
    }

    /// Those of all modules but the ones that could not be looked at.
    fn looked_at(&self, unparsed: &[Unlooked]) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = self.by_module.values().map(String::as_str).collect();
        for module in unparsed {
            names.remove(module.path.as_str());
        }
        names
    }
}

fn slashed(path: &Path) -> String {
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

fn located(path: &str, module: &Module, checked: Checked) -> Located {
    let fingerprint = fingerprint(path, &checked);
    let debt = checked.impact.map(|impact| DebtItem {
        id: fingerprint.clone(),
        path: path.to_owned(),
        ..debt_item(module, &checked.finding, impact)
    });
    let mut located = Located::new(module, path, checked.finding);
    located.qualname = checked.qualname;
    located.fingerprint = fingerprint;
    located.debt = debt;
    located
}

/// How many hex digits of the hash are kept; as for mutants, and some more.
const FINGERPRINT_DIGITS: usize = 16;

fn fingerprint(path: &str, checked: &Checked) -> String {
    let ordinal = checked.ordinal.to_string();
    let mut hash = Sha256::new();
    for part in [
        path,
        &checked.finding.rule,
        &checked.qualname,
        &checked.statement,
        &ordinal,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())[..FINGERPRINT_DIGITS].to_owned()
}

/// What a baseline knows and nothing reports any more, of the modules that were looked at.
fn tell_gone(known: &Baseline, examined: &Examined<Located>, looked_at: &BTreeSet<&str>) {
    let gone = known.gone(&examined.found, |path| looked_at.contains(path));
    if gone > 0 && !examined.interrupted {
        let count = counted(gone, "finding");
        console::note(&format!(
            "{count} of the baseline no longer found; --write-baseline renews it"
        ));
    }
}

/// `1 finding`, `2 findings`
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// On stderr: how much was found, and of what.
fn summarize(examined: &Examined<Located>, new: bool) {
    let looked_at = examined.modules - examined.unparsed.len().min(examined.modules);
    let count = examined.found.len();
    let found = counted(count, if new { "new finding" } else { "finding" });
    console::note(&format!("{found} in {}", counted(looked_at, "module")));
    let mut by_rule: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for found in &examined.found {
        let counts = by_rule.entry(&found.finding.rule).or_default();
        counts[found.finding.confidence as usize] += 1;
    }
    if by_rule.is_empty() {
        return;
    }
    let heads = ["high", "medium", "low"].map(Column::right);
    let mut grid = Grid::new(&[&[Column::left("pattern")], &heads[..]].concat());
    for (rule, counts) in by_rule {
        let cells = counts.iter().rev().map(|count| match count {
            0 => String::new(),
            count => count.to_string(),
        });
        grid.rows.push([rule.to_owned()].into_iter().chain(cells).collect());
    }
    let colour = console::stderr_has_colour();
    console::note(grid.as_text(Style { colour }).trim_end());
    console::note("`leakbench explain PATTERN` says why it leaks and how to mend it");
}
