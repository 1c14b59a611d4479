//! Which modules of a folder are left out: globs, as in a `.gitignore`.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::corpus::{Corpus, Entry};

/// Globs and the folder that they start from.
#[derive(Debug)]
pub struct Exclude {
    root: PathBuf,
    globs: Gitignore,
}

impl Exclude {
    /// What is wrong with a glob is said in words.
    pub fn new(root: &Path, globs: &[String]) -> Result<Self, String> {
        // Modules go by the paths that links lead to.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut builder = GitignoreBuilder::new(&root);
        for glob in globs {
            builder.add_line(None, glob).map_err(|error| error.to_string())?;
        }
        let globs = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { root, globs })
    }

    fn holds(&self, file: &Path) -> bool {
        let Ok(below) = file.strip_prefix(&self.root) else {
            return false;
        };
        self.globs.matched_path_or_any_parents(below, false).is_ignore()
    }

    /// Leaves the modules out, except those that were named one by one.
    pub fn apply(&self, corpora: &mut [Corpus]) {
        let holds = |entry: &Entry| !entry.named && entry.file().is_some_and(|file| self.holds(file));
        for corpus in corpora {
            corpus.entries.retain(|entry| !holds(entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_those_of_a_gitignore() {
        let globs = ["build/", "*_pb2.py", "/top.py", "!keep_pb2.py"].map(str::to_owned);
        let exclude = Exclude::new(Path::new("/nowhere"), &globs).unwrap();
        let holds = |path: &str| exclude.holds(&Path::new("/nowhere").join(path));
        assert!(holds("build/x.py") && holds("a/build/b/x.py") && holds("a/x_pb2.py") && holds("top.py"));
        assert!(!holds("a/top.py") && !holds("a/keep_pb2.py") && !holds("builder/x.py"));
        assert!(!exclude.holds(Path::new("/elsewhere/build/x.py")));
    }
}
