//! `leakbench corpus`: whether a corpus can be used and how real it looks, and files that are not ours to give.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{Jobs, not_parsed, pages};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::console;
use crate::lab::census::{Census, census};
use crate::lab::corpus::{Corpus, embedded, from_paths};
use crate::lab::{fetch, on_threads};
use crate::report::{Column, Grid, Style};

/// Whose modules corpus/README.md demands the shares of.
const CORE: &str = "core";

/// Looks at corpora
#[derive(Debug, Args)]
pub(super) struct CorpusCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(Check),
    Fetch(Fetch),
}

/// Downloads the files of real leaks and their fixes from the package index that pip uses, for `run --pairs`
#[derive(Debug, Args)]
#[command(
    after_help = "The files come to files/ beside the list. Archives are checked against their SHA-256; nothing is built,\n\
    installed or imported. What is there already is not fetched again.\n\nExits with 4 if something could not be fetched.\n\n\
    Examples:\n  leakbench corpus fetch corpus/wild/pairs.csv\n  leakbench run --pairs corpus/wild/pairs.csv"
)]
struct Fetch {
    /// A list of fix pairs (corpus/README.md says what it holds)
    list: PathBuf,
    /// Only these pairs
    pairs: Vec<String>,
    /// The interpreter, 3.10 or later, with pip
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
}

/// Parses a corpus and prints its figures of realism beside what corpus/README.md demands of ours
#[derive(Debug, Args)]
#[command(
    after_help = "Exits with 4 if a module does not parse or our own corpus misses a demand.\n\nExamples:\n  \
    leakbench corpus check\n  leakbench corpus check corpus/core\n  \
    leakbench corpus check --mutators my-pages --declined /path/to/real/code"
)]
struct Check {
    /// A folder of Python code; without one, the embedded corpus
    folder: Option<PathBuf>,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
    /// Also say how many places of a mutator's shape each of its conditions turned down
    #[arg(long)]
    declined: bool,
    #[command(flatten)]
    jobs: Jobs,
}

impl CorpusCommand {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(check) => check.run(),
            Action::Fetch(wanted) => {
                fetch(&wanted.list, &wanted.pairs, &wanted.python)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Check {
    fn run(self) -> Result<Exit, Failure> {
        let pages = pages(self.mutators.as_deref())?;
        let corpora = match self.folder {
            Some(folder) => from_paths(&[folder])?,
            None => vec![embedded()?],
        };
        let terminal = Terminal::new();
        let counted = on_threads(self.jobs.threads(None), || {
            census(&corpora, &pages, self.declined, &terminal)
        });
        terminal.end();
        let Some((census, unparsed)) = counted.and_then(|counted| counted)? else {
            return Ok(Exit::Interrupted);
        };
        not_parsed(&unparsed);
        let demands = demands(&census);
        let ours = corpora.iter().any(|corpus| corpus.name == CORE && corpus.declared);
        console::print(&shown(&corpora, &census, unparsed.len(), &demands, ours))?;
        if self.declined {
            console::print(&declined(&census))?;
        }
        let missed = ours && demands.iter().any(|demand| !demand.is_met());
        Ok(if missed || !unparsed.is_empty() {
            Exit::Inconsistent
        } else {
            Exit::Done
        })
    }
}

/// A share and what corpus/README.md demands of it.
struct Demand {
    what: &'static str,
    count: usize,
    of: usize,
    at_least: usize,
    at_most: usize,
}

impl Demand {
    fn is_met(&self) -> bool {
        (self.at_least * self.of..=self.at_most * self.of).contains(&(self.count * 100))
    }

    fn wanted(&self) -> String {
        match (self.at_least, self.at_most) {
            (0, most) => format!("at most {most} %"),
            (least, _) => format!("at least {least} %"),
        }
    }
}

fn demands(census: &Census) -> [Demand; 3] {
    let demand = |what, count, at_least, at_most| Demand {
        what,
        count,
        of: census.acquisitions,
        at_least,
        at_most,
    };
    [
        demand("in methods", census.in_methods, 60, 100),
        demand("branch or loop before the release", census.with_branch, 35, 100),
        demand("plain open(…)", census.plain_open, 0, 35),
    ]
}

fn shown(corpora: &[Corpus], census: &Census, unparsed: usize, demands: &[Demand], ours: bool) -> String {
    let names: Vec<&str> = corpora.iter().map(|corpus| corpus.name.as_str()).collect();
    let mut text = format!(
        "{}: {} modules ({} blind), {} lines, {unparsed} not parsed\n{} acquisitions outside blind modules\n\n",
        names.join(", "),
        census.modules,
        census.blind_modules,
        census.lines,
        census.acquisitions,
    );
    let colour = console::stdout_has_colour();
    let heads = [
        Column::left("of the acquisitions"),
        Column::right("n"),
        Column::right("%"),
        Column::left("demanded of ours"),
    ];
    let mut grid = Grid::new(&heads);
    for demand in demands {
        let met = if ours && !demand.is_met() { " — MISSED" } else { "" };
        let percent = demand.count * 100 / demand.of.max(1);
        let cells = [
            demand.what.to_owned(),
            demand.count.to_string(),
            percent.to_string(),
            demand.wanted() + met,
        ];
        grid.rows.push(cells.to_vec());
    }
    text.push_str(&grid.as_text(Style { colour }));
    text.push('\n');
    let mut grid = Grid::new(&[
        Column::left("mutator"),
        Column::right("sites"),
        Column::right("modules"),
    ]);
    for (mutator, (sites, modules)) in &census.sites {
        grid.rows
            .push(vec![mutator.clone(), sites.to_string(), modules.to_string()]);
    }
    text.push_str(&grid.as_text(Style { colour }));
    text
}

fn declined(census: &Census) -> String {
    let mut grid = Grid::new(&[
        Column::left("mutator"),
        Column::right("declined"),
        Column::left("by the condition"),
    ]);
    for (mutator, by_reason) in &census.declined {
        let mut reasons: Vec<(&String, &u64)> = by_reason.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in reasons {
            grid.rows.push(vec![mutator.clone(), count.to_string(), reason.clone()]);
        }
    }
    let colour = console::stdout_has_colour();
    format!("\n{}", grid.as_text(Style { colour }))
}
