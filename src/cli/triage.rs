//! `leakbench triage`: what people decide about findings on code as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::arguments::suggestion;
use super::exit::{Exit, Failure};
use crate::console;
use crate::lab::{CLEAN, LOW_CONFIDENCE};
use crate::record::Record;
use crate::record::row::FindingRow;
use crate::record::triage::{DEFAULT_FILE, Decision, Ruling, Triage};

/// Shows findings on clean modules grouped by shape, and records what they are
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  leakbench triage list results/latest\n  \
    leakbench triage set 0c1d2e3f4a5b --verdict false --reason 'the caller closes it'")]
pub(super) struct TriageCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Set(Set),
}

/// Shows findings on clean modules that nobody has decided about
#[derive(Debug, Args)]
struct List {
    /// The record that has them
    #[arg(default_value = "results/latest")]
    record: PathBuf,
    #[arg(long, value_name = "ID", default_value = "leakbench")]
    detector: String,
    /// Those already decided, too
    #[arg(long)]
    all: bool,
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
}

/// Records a decision about one or several findings
#[derive(Debug, Args)]
struct Set {
    /// As `triage list` shows them
    #[arg(required = true)]
    keys: Vec<String>,
    #[arg(long, value_enum)]
    verdict: Verdict,
    /// Why; whoever reads it later must be able to check it
    #[arg(long)]
    reason: String,
    /// The record that has the findings
    #[arg(long, value_name = "DIR", default_value = "results/latest")]
    record: PathBuf,
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verdict {
    True,
    False,
    Contested,
}

impl TriageCommand {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::List(list) => list.run(),
            Action::Set(set) => set.run(),
        }
    }
}

/// Findings on clean modules that count.
fn findings(record: &Path) -> Result<Vec<FindingRow>, Failure> {
    let mut rows: Vec<FindingRow> = Record::open(record)?.rows()?;
    rows.retain(|row| row.run_on == CLEAN && row.disposition != LOW_CONFIDENCE);
    Ok(rows)
}

impl List {
    fn run(self) -> Result<Exit, Failure> {
        let triage = Triage::load(&self.file)?;
        let rows = findings(&self.record)?;
        let open = |row: &&FindingRow| self.all || triage.ruling(&row.key).is_none();
        let wanted = rows.iter().filter(|row| row.detector == self.detector).filter(open);
        let mut groups: BTreeMap<(&str, &str), Vec<&FindingRow>> = BTreeMap::new();
        for row in wanted {
            groups.entry((&row.rule, &row.shape)).or_default().push(row);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        let shown: Vec<String> = groups
            .iter()
            .map(|((rule, shape), rows)| group(rule, shape, rows, &triage))
            .collect();
        console::print(&shown.join("\n"))?;
        if shown.is_empty() {
            console::note("nothing to decide");
        }
        Ok(Exit::Done)
    }
}

fn group(rule: &str, shape: &str, rows: &[&FindingRow], triage: &Triage) -> String {
    let mut text = format!("{rule}  {shape}  ({})\n", rows.len());
    for row in rows {
        let decided = triage.get(&row.key).map_or_else(String::new, |decision| {
            format!("  [{}: {}]", decision.verdict.word(), decision.reason)
        });
        let place = format!("{}/{}:{}", row.corpus, row.module, row.line);
        let _ = writeln!(text, "  {}  {place} {}{decided}", row.key, row.qualname);
    }
    text
}

impl Set {
    fn run(self) -> Result<Exit, Failure> {
        if self.reason.trim().is_empty() {
            return Err(Failure::usage("a decision needs a reason; say why with --reason"));
        }
        let mut triage = Triage::load(&self.file)?;
        let rows = findings(&self.record)?;
        for key in &self.keys {
            let Some(row) = rows.iter().find(|row| row.key == *key) else {
                let hint = suggestion(key, rows.iter().map(|row| row.key.as_str()));
                let record = self.record.display();
                return Err(Failure::usage(format!(
                    "{record} has no finding {key:?} on a clean module{hint}"
                )));
            };
            triage.set(self.decision(row));
        }
        triage.save(&self.file)?;
        console::note(&format!("{} decided in {}", self.keys.len(), self.file.display()));
        Ok(Exit::Done)
    }

    fn decision(&self, row: &FindingRow) -> Decision {
        let verdict = match self.verdict {
            Verdict::True => Ruling::True,
            Verdict::False => Ruling::False,
            Verdict::Contested => Ruling::Contested,
        };
        Decision {
            key: row.key.clone(),
            verdict,
            reason: self.reason.trim().to_owned(),
            rule: row.rule.clone(),
            shape: row.shape.clone(),
            module: format!("{}/{}", row.corpus, row.module),
            qualname: row.qualname.clone(),
        }
    }
}
