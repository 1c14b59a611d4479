//! A mutator page: definition, documentation and test of one mutator.

use crate::leak::{Effect, Pattern, Strength};

/// One page of `mutators/`, or of a user's folder.
#[derive(Clone, Debug)]
pub struct Page {
    /// The file's name without `.md`.
    pub id: String,
    pub pattern: Pattern,
    pub effect: Effect,
    pub strength: Strength,
    /// The decoy that a leak mutator's score is held against.
    pub primary: Option<String>,
    /// Of a decoy: the leak mutators whose sites it shares; empty for unpaired ones.
    pub twin_of: Vec<String>,
    /// The prose below the title.
    pub summary: String,
    /// The whole page, for `explain`.
    pub text: String,
    /// Whether it came with the program.
    pub built_in: bool,
}

/// What is wrong with a page, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct PageError {
    pub file: String,
    /// One-based.
    pub line: u32,
    pub message: String,
}

/// The mutators of a run, by id.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    list: Vec<Page>,
}

impl Pages {
    /// The pages that the program brings.
    pub fn built_in() -> Self {
        Self::default()
    }

    /// Adds the pages of a user's folder: file names and texts. All errors are reported at once.
    pub fn with_files(self, files: &[(String, String)]) -> Result<Self, Vec<PageError>> {
        let _ = files;
        Ok(self)
    }

    pub fn list(&self) -> &[Page] {
        &self.list
    }

    pub fn get(&self, id: &str) -> Option<&Page> {
        self.list.iter().find(|page| page.id == id)
    }
}
