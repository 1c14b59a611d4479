//! What the other modules of a corpus say: read-only, words alone.

use std::collections::HashMap;

/// Which words stand in which modules of a corpus: tells whether a name may be used elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Index {
    modules_with: HashMap<String, u32>,
}

impl Index {
    /// `texts`: every module of the corpus, once.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut modules_with = HashMap::new();
        for text in texts {
            let mut words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                *modules_with.entry(word.to_owned()).or_insert(0) += 1;
            }
        }
        Self { modules_with }
    }

    /// Whether a module other than the one asking holds `word`; the asking one does.
    pub fn stands_elsewhere(&self, word: &str) -> bool {
        self.modules_with.get(word).is_some_and(|modules| *modules > 1)
    }
}
