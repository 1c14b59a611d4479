//! A mutator page: definition, documentation and test of one mutator.

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::condition::Condition;
use super::resources::{Own, OwnResource, is_acquiring};
use super::template::Rewrite;
use crate::leak::{Effect, Pattern, Strength};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mutators");

/// One page of `mutators/`, or of a user's folder.
#[derive(Clone, Debug)]
pub struct Page {
    /// The file's name without `.md`.
    pub id: String,
    pub pattern: Pattern,
    pub effect: Effect,
    pub strength: Strength,
    /// How a run shows it: `unreleased`, `growth`, `garbage`, `state` or `none: REASON`.
    pub witness: String,
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
    pub(super) label: String,
    /// Further true places: a metavariable or `@2` for the second hunk, and the pattern there.
    pub(super) also: Vec<(String, Pattern)>,
    pub(super) resource: Option<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) rewrites: Vec<Rewrite>,
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests run cases"))]
    pub(super) cases: Vec<Case>,
}

/// A piece of Python, and the mutants that the page must make of it.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests run cases"))]
pub(super) struct Case {
    pub(super) title: String,
    /// One-based line of the page on which the input starts.
    pub(super) line: u32,
    pub(super) input: String,
    /// Other modules of the same corpus.
    pub(super) elsewhere: Vec<String>,
    /// How many lines of the page follow the first one of the input, up to the last block that is no mutant.
    pub(super) length: u32,
    /// The text of each expected mutant, and the page line on which it starts.
    pub(super) mutants: Vec<(String, u32)>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    pattern: String,
    effect: String,
    label: String,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default, rename = "where")]
    conditions: Vec<String>,
    strength: Option<String>,
    primary: Option<String>,
    #[serde(default)]
    twin_of: Vec<String>,
    resource: Option<String>,
    witness: String,
}

/// The mutators of a run, by id.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    list: Vec<Page>,
    own: Own,
}

impl Pages {
    /// The pages that the program brings.
    pub fn built_in() -> Self {
        let files = BUILT_IN
            .files()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "md"));
        let named = files.filter_map(|file| Some((file.path().to_str()?.to_owned(), file.contents_utf8()?.to_owned())));
        let files: Vec<_> = named.filter(|(name, _)| name != "README.md").collect();
        let mut pages = Self::default()
            .with_files(&files)
            .expect("a test reads every embedded page");
        pages.list.iter_mut().for_each(|page| page.built_in = true);
        pages
    }

    #[cfg(test)]
    pub(super) fn of(page: Page) -> Self {
        Self {
            list: vec![page],
            own: Own::default(),
        }
    }

    /// Adds the pages of a user's folder: file names and texts. All errors are reported at once. A
    /// page with the name of a known one takes its place.
    pub fn with_files(mut self, files: &[(String, String)]) -> Result<Self, Vec<PageError>> {
        let mut errors = Vec::new();
        let mut added = Vec::new();
        for (name, text) in files {
            match Page::parse(name, text) {
                Ok(page) => added.push(page),
                Err((line, message)) => errors.push(PageError {
                    file: name.clone(),
                    line,
                    message,
                }),
            }
        }
        self.list
            .retain(|page| !added.iter().any(|new: &Page| new.id == page.id));
        self.list.extend(added);
        self.list.sort_by(|a, b| a.id.cmp(&b.id));
        errors.extend(self.dangling(files));
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    /// Adds what a user says can be acquired. It reaches every condition that asks the table.
    #[must_use]
    pub fn with_resources(mut self, entries: Vec<OwnResource>) -> Self {
        self.own = Own::new(entries);
        self
    }

    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    /// Whether a call of this dotted name acquires: by the table, or by what a user added.
    pub fn acquires(&self, callable: &str) -> bool {
        self.own.has(callable) || is_acquiring(callable)
    }

    pub fn list(&self) -> &[Page] {
        &self.list
    }

    pub fn get(&self, id: &str) -> Option<&Page> {
        self.list.iter().find(|page| page.id == id)
    }

    /// Pages of these files that name a mutator which is not there.
    fn dangling(&self, files: &[(String, String)]) -> Vec<PageError> {
        let mut errors = Vec::new();
        for (file, text) in files {
            let Some(page) = self.get(&id_of(file)) else { continue };
            for named in page.primary.iter().chain(&page.twin_of) {
                if self.get(named).is_none() {
                    let line = (1..)
                        .zip(text.lines())
                        .find(|(_, line)| line.contains(named.as_str()))
                        .map_or(1, |(line, _)| line);
                    let message = format!("no mutator page is called {named:?}");
                    errors.push(PageError {
                        file: file.clone(),
                        line,
                        message,
                    });
                }
            }
        }
        errors
    }
}

type Fault = (u32, String);

fn id_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".md").unwrap_or(name).to_owned()
}

impl Page {
    fn parse(file: &str, text: &str) -> Result<Self, Fault> {
        let lines: Vec<&str> = text.lines().collect();
        let (front, body) = front_matter(&lines)?;
        let blocks = Blocks::read(&lines, body)?;
        let at = |word: &str, message: String| (line_with(&lines[..body], word), message);
        let pattern: Pattern = front
            .pattern
            .parse()
            .map_err(|error| at("pattern", format!("{error}")))?;
        let effect: Effect = front
            .effect
            .parse()
            .map_err(|error| at("effect", format!("effect = {:?}: {error}", front.effect)))?;
        let strength = front.strength.as_deref().unwrap_or("must");
        let strength: Strength = strength.parse().map_err(|error| at("strength", error))?;
        let mut conditions = Vec::new();
        for condition in &front.conditions {
            conditions.push(Condition::parse(condition).map_err(|message| at(condition, message))?);
        }
        let mut also = Vec::new();
        for place in &front.also {
            also.push(parse_also(place).map_err(|message| at(place, message))?);
        }
        let page = Self {
            id: id_of(file),
            pattern,
            effect,
            strength,
            witness: front.witness,
            primary: front.primary,
            twin_of: front.twin_of,
            summary: blocks.summary,
            text: text.to_owned(),
            built_in: false,
            label: front.label.trim_start_matches('$').to_owned(),
            also,
            resource: front.resource,
            conditions,
            rewrites: blocks.rewrites,
            cases: blocks.cases,
        };
        page.validate().map_err(|(word, message)| at(&word, message))?;
        check_witness(&page.witness).map_err(|message| at("witness", message))?;
        Ok(page)
    }

    /// What only the whole page can tell. Errors name the word to look for.
    pub(super) fn validate(&self) -> Result<(), (String, String)> {
        for (number, rewrite) in self.rewrites.iter().enumerate() {
            let mut known: Vec<&str> = rewrite.bound();
            known.extend(self.conditions_of(number).filter_map(Condition::binds));
            if let Some(unbound) = rewrite.used().into_iter().find(|name| !known.contains(name)) {
                let message = format!(
                    "${unbound} stands only on `+` lines; a condition such as fresh, spelled or close-of must bind it"
                );
                return Err((format!("${unbound}"), message));
            }
            if !rewrite.used().contains(&self.label.as_str()) {
                return Err((
                    "label".to_owned(),
                    format!("the label ${} does not stand in every rewrite block", self.label),
                ));
            }
            let on_kept = rewrite.hunks.iter().any(|hunk| hunk.keeps(&self.label));
            if !on_kept {
                return Err((
                    "label".to_owned(),
                    format!("the label ${} must stand on a ` ` or `+` line", self.label),
                ));
            }
        }
        if self.effect == Effect::Safe && self.primary.is_some() {
            return Err((
                "primary".to_owned(),
                "a decoy has no primary decoy; it names its leak mutators in twin_of".to_owned(),
            ));
        }
        if self.effect == Effect::Leak && !self.twin_of.is_empty() {
            return Err((
                "twin_of".to_owned(),
                "a leak mutator has no twin_of; it names its decoy in primary".to_owned(),
            ));
        }
        Ok(())
    }

    /// The conditions that speak of an alternative: not those for others, nor those about
    /// metavariables that it does not have.
    pub(super) fn conditions_of(&self, alternative: usize) -> impl Iterator<Item = &Condition> {
        let used = self.rewrites[alternative].used();
        let own = self
            .conditions
            .iter()
            .filter(move |condition| condition.alternative.is_none_or(|own| own == alternative));
        let labelled = |wanted: &str| self.also.iter().any(|(place, _)| place == wanted);
        own.filter(move |condition| {
            condition
                .binds()
                .is_none_or(|name| used.contains(&name) || labelled(name))
                && {
                    let mut names = condition.variables().filter(|name| condition.binds() != Some(name));
                    names.all(|name| used.contains(&name) || self.bound_by_condition(name))
                }
        })
    }

    fn bound_by_condition(&self, name: &str) -> bool {
        self.conditions.iter().any(|condition| condition.binds() == Some(name))
    }
}

fn front_matter(lines: &[&str]) -> Result<(Front, usize), Fault> {
    if lines.first() != Some(&"+++") {
        return Err((1, "a page starts with a line `+++`".to_owned()));
    }
    let end = lines.iter().skip(1).position(|line| *line == "+++");
    let end = end.ok_or_else(|| (1, "the front matter has no closing `+++`".to_owned()))? + 1;
    let text = lines[1..end].join("\n");
    let front = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let before = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
        (u32::try_from(before).unwrap_or(0) + 2, error.message().to_owned())
    })?;
    Ok((front, end + 1))
}

fn line_with(lines: &[&str], word: &str) -> u32 {
    (1..)
        .zip(lines)
        .find(|(_, line)| line.contains(word))
        .map_or(1, |(number, _)| number)
}

fn parse_also(text: &str) -> Result<(String, Pattern), String> {
    let (place, pattern) = text
        .split_once(':')
        .ok_or_else(|| format!("{text:?} is not `PLACE: PATTERN`"))?;
    let pattern: Pattern = pattern.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((place.trim().trim_start_matches('$').to_owned(), pattern))
}

fn check_witness(word: &str) -> Result<(), String> {
    let known = ["unreleased", "growth", "garbage", "state"];
    if known.contains(&word) || word.starts_with("none:") {
        return Ok(());
    }
    Err(format!(
        "witness = {word:?} is none of {}, none: REASON",
        known.join(", ")
    ))
}

/// The prose and the fenced blocks of a page.
#[derive(Default)]
struct Blocks {
    summary: String,
    rewrites: Vec<Rewrite>,
    cases: Vec<Case>,
}

impl Blocks {
    fn read(lines: &[&str], from: usize) -> Result<Self, Fault> {
        let mut blocks = Self::default();
        let mut title = String::new();
        let mut at = from;
        while at < lines.len() {
            let line = lines[at];
            let Some(info) = line.strip_prefix("```") else {
                blocks.prose(line, &mut title);
                at += 1;
                continue;
            };
            let length = lines[at + 1..].iter().position(|line| *line == "```");
            let length = length.ok_or_else(|| (number(at), "this block is not closed".to_owned()))?;
            let text: String = lines[at + 1..at + 1 + length]
                .iter()
                .flat_map(|line| [line, "\n"])
                .collect();
            blocks.block(info.trim(), &text, number(at + 1), &title)?;
            at += length + 2;
        }
        if blocks.rewrites.is_empty() {
            return Err((number(from), "the page has no ```rewrite block".to_owned()));
        }
        blocks.summary = String::from(blocks.summary.trim());
        Ok(blocks)
    }

    fn prose(&mut self, line: &str, title: &mut String) {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(title);
        } else if !line.starts_with("# ") && title.is_empty() && self.rewrites.is_empty() {
            self.summary.push_str(line);
            self.summary.push('\n');
        }
    }

    fn block(&mut self, info: &str, text: &str, line: u32, title: &str) -> Result<(), Fault> {
        match info {
            "rewrite" => self.rewrites.push(Rewrite::parse(text, line)?),
            "py" => self.cases.push(Case {
                title: title.to_owned(),
                line,
                input: text.to_owned(),
                elsewhere: Vec::new(),
                length: line_count(text),
                mutants: Vec::new(),
            }),
            "py elsewhere" => match self.cases.last_mut().filter(|case| case.mutants.is_empty()) {
                Some(case) => {
                    case.length = line - case.line + line_count(text);
                    case.elsewhere.push(text.to_owned());
                }
                None => {
                    return Err((
                        line,
                        "another module without a case; it stands between the ```py block and its mutants".to_owned(),
                    ));
                }
            },
            "py mutant" => match self.cases.last_mut() {
                Some(case) => case.mutants.push((text.to_owned(), line)),
                None => {
                    return Err((
                        line,
                        "a mutant without the code it comes from; a ```py block must stand before it".to_owned(),
                    ));
                }
            },
            other => {
                return Err((
                    line - 1,
                    format!("a page has blocks `rewrite`, `py`, `py elsewhere` and `py mutant`, not {other:?}"),
                ));
            }
        }
        Ok(())
    }
}

fn line_count(text: &str) -> u32 {
    u32::try_from(text.lines().count()).unwrap_or(u32::MAX)
}

/// One-based number of the line at a zero-based index.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}
