//! The words of a text, for choosing names that cannot clash.

use std::collections::HashSet;

/// Every run of letters, digits and underscores in code, strings and comments. After a backslash
/// the run without its first letter counts too: `"\name"` holds the word `ame`.
pub(super) fn of(text: &str) -> HashSet<&str> {
    let mut words = HashSet::new();
    let mut escaped = false;
    for run in text.split_inclusive(|each: char| !(each.is_alphanumeric() || each == '_')) {
        let word = run.trim_end_matches(|each: char| !(each.is_alphanumeric() || each == '_'));
        words.insert(word);
        if escaped {
            let mut letters = word.chars();
            letters.next();
            words.insert(letters.as_str());
        }
        escaped = run.ends_with('\\');
    }
    words
}
