//! Which leaks are injected, and where: what `run` and `mutate` are told alike.

use std::path::PathBuf;

use clap::Args;

use super::arguments::pattern;
use super::config::Settings;
use super::exit::Failure;
use crate::lab::Wanted;
use crate::lab::corpus::{Corpus, embedded, from_folder, from_paths};
use crate::leak::Pattern;
use crate::mutate::{Pages, Quota};

/// Leak mutants kept per mutator on code that is not ours.
const PER_MUTATOR: usize = 200;

#[derive(Debug, Args)]
pub(super) struct WantedArgs {
    /// Files and folders of Python code; without any, the embedded corpus
    paths: Vec<PathBuf>,
    /// A folder with a corpus.toml
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    corpus: Option<PathBuf>,
    /// A folder of further mutator pages
    #[arg(long, value_name = "DIR")]
    mutators: Option<PathBuf>,
    /// Only mutants of this pattern; may be given several times
    #[arg(long = "pattern", value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    /// What the sample is drawn by
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Leak mutants kept per mutator [default: all of the embedded corpus, 200 elsewhere]
    #[arg(long, value_name = "N")]
    per_mutator: Option<usize>,
    /// Leak mutants kept in all
    #[arg(long, value_name = "N")]
    max_mutants: Option<usize>,
}

impl WantedArgs {
    pub(super) fn pages(&self) -> Result<Pages, Failure> {
        super::arguments::pages(self.mutators.as_deref())
    }

    pub(super) fn wanted<'a>(&'a self, pages: &'a Pages, settings: &Settings) -> Result<Wanted<'a>, Failure> {
        let corpora = self.corpora(settings)?;
        Ok(Wanted {
            quota: self.quota(&corpora),
            corpora,
            pages,
            patterns: &self.patterns,
        })
    }

    fn corpora(&self, settings: &Settings) -> Result<Vec<Corpus>, Failure> {
        if let Some(folder) = &self.corpus {
            return Ok(vec![from_folder(folder)?]);
        }
        if self.paths.is_empty() {
            return Ok(vec![embedded()?]);
        }
        let mut corpora = from_paths(&self.paths)?;
        settings.exclude()?.apply(&mut corpora);
        Ok(corpora)
    }

    fn quota(&self, corpora: &[Corpus]) -> Quota {
        let ours = corpora.iter().all(|corpus| corpus.embedded);
        Quota {
            seed: self.seed,
            per_mutator: self.per_mutator.or((!ours).then_some(PER_MUTATOR)),
            max_mutants: self.max_mutants,
        }
    }
}
