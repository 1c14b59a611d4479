//! The vocabulary of `where`: small functions over a site, each answering yes, no or unknown.
//!
//! "Unknown" declines, also under `not`. Some conditions bind a new metavariable on the way. What
//! each of them means to the author of a page stands in `mutators/README.md`.

mod around;
mod asynchronous;
mod attribute;
mod bind;
mod cache;
mod callee;
mod class;
mod collection;
mod cycle;
mod escape;
mod fate;
mod file;
mod flow;
mod guard;
mod keeper;
mod lock;
mod name;
mod owner;
mod registry;
mod syntax;
mod temp;
#[cfg(test)]
mod tests;
mod usage;
mod worker;

pub(super) use callee::taken_by_callee;
pub(super) use usage::{hands_on, holds_handle, is_name, releases};

use super::facts::Facts;
use super::site::{Site, SitePart};
use super::unify::Value;
use crate::python::Span;
use crate::python::ast::{Expr, Stmt};

/// What a condition finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// One entry of `where`: `[N:] [not] name(argument, …)`.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// As the page writes it.
    pub(super) text: String,
    /// Which alternative it is about, counted from zero; all of them if none is named.
    pub(super) alternative: Option<usize>,
    negated: bool,
    word: &'static Word,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    /// `$x` or `$$xs`
    Variable(String),
    Text(String),
}

/// A condition's name, what it does, and whether it binds its first argument.
#[derive(Debug)]
pub(super) struct Word {
    name: &'static str,
    binds: bool,
    /// Asked after all hunks are matched.
    last: bool,
    check: fn(&mut Scene<'_, '_, '_>, &[Argument]) -> Truth,
}

/// What a condition may look at: the module, and the site with the part that is being matched last.
pub(super) struct Scene<'s, 't, 'm> {
    pub(super) facts: &'s Facts<'m>,
    pub(super) site: &'s mut Site<'t, 'm>,
}

macro_rules! words {
    ($($name:literal => $check:path $(, $flag:ident)*;)+) => {
        static WORDS: &[Word] = &[$(words!(@word $name, $check, $($flag)*)),+];
    };
    (@word $name:literal, $check:path, ) => { Word { name: $name, binds: false, last: false, check: $check } };
    (@word $name:literal, $check:path, binds) => { Word { name: $name, binds: true, last: false, check: $check } };
    (@word $name:literal, $check:path, last) => { Word { name: $name, binds: false, last: true, check: $check } };
}

words! {
    "argument" => cycle::argument, binds;
    "at-top" => around::at_top;
    "awaited-close" => asynchronous::awaited_close;
    "broad" => attribute::broad;
    "call-in" => bind::call_in, binds;
    "call-within" => cycle::call_within, binds;
    "calls" => name::calls;
    "caught" => cycle::caught;
    "cleared" => cache::cleared;
    "close-of" => bind::close_of, binds;
    "constant-call" => keeper::constant_call;
    "covered" => name::covered, last;
    "decorated" => around::decorated;
    "dropped-here" => owner::dropped_here;
    "empty-list" => collection::empty_list;
    "ends-others" => owner::ends_others;
    "enters-itself" => class::enters_itself;
    "escapes" => escape::escapes;
    "evicts" => collection::evicts;
    "exit" => usage::exit;
    "faces-none" => cycle::faces_none;
    "falls-through" => flow::falls_through;
    "foreign" => cycle::foreign;
    "fresh" => bind::fresh, binds;
    "fresh-for" => bind::fresh_for, binds;
    "gives-itself" => asynchronous::gives_itself;
    "halts" => worker::halts;
    "halved" => cache::halved, binds;
    "handed-on" => usage::handed_on;
    "hands-self-on" => attribute::hands_self_on;
    "has-method" => owner::has_method;
    "has-net" => owner::has_net;
    "has-yield" => flow::has_yield;
    "holds" => cycle::holds, binds;
    "holds-at-yield" => asynchronous::holds_at_yield;
    "holds-itself" => keeper::holds_itself;
    "in-methods" => attribute::in_methods;
    "in-release" => registry::in_release;
    "in-testcase" => around::in_testcase;
    "input" => around::input, binds;
    "inside" => collection::inside;
    "instance" => name::instance;
    "is" => name::is;
    "keeps" => cycle::keeps;
    "keeps-attributes" => asynchronous::keeps_attributes;
    "kept-as" => cycle::kept_as, binds;
    "kept-private" => worker::kept_private;
    "leaves-early" => flow::leaves_early;
    "left-alone" => lock::left_alone;
    "left-open" => fate::left_open, last;
    "limit" => collection::limit;
    "literal" => syntax::literal;
    "lock" => lock::lock;
    "long-lived" => collection::long_lived;
    "loops-until" => worker::loops_until;
    "many-instances" => cache::many_instances;
    "may-raise" => flow::may_raise;
    "mentioned" => usage::mentioned;
    "mentioned-elsewhere" => name::mentioned_elsewhere;
    "method-releases" => attribute::method_releases;
    "nearest" => registry::nearest;
    "no-resource" => class::no_resource;
    "one-of" => syntax::one_of;
    "only-asked" => usage::only_asked;
    "only-called" => cycle::only_called;
    "only-calls" => class::only_calls;
    "only-grows" => collection::only_grows, last;
    "only-guards" => guard::only_guards;
    "only-here" => collection::only_here;
    "only-reads" => usage::only_reads;
    "open-domain" => cache::open_domain;
    "or-none" => cycle::or_none;
    "outlives" => worker::outlives;
    "overflow" => collection::overflow, binds;
    "own-method" => cycle::own_method;
    "owned" => owner::owned;
    "owned-at-once" => worker::owned_at_once;
    "owns-attribute" => attribute::owns_attribute;
    "owns-resource" => class::owns_resource;
    "pair" => registry::pair;
    "parameter" => around::parameter;
    "piles-up" => registry::piles_up;
    "pipes-only" => name::pipes_only;
    "plain-class" => class::plain_class;
    "plain-function" => syntax::plain_function;
    "quiet" => guard::quiet;
    "raises-beyond" => guard::raises_beyond;
    "reads-all" => usage::reads_all;
    "reads-back" => file::reads_back;
    "rebound" => usage::rebound;
    "release" => usage::release;
    "release-may-fail" => keeper::release_may_fail;
    "release-of" => bind::release_of, binds;
    "released" => usage::released;
    "releases-others" => owner::releases_others;
    "removes" => temp::removes;
    "reset" => cache::reset;
    "resource" => usage::resource;
    "reusable" => keeper::reusable;
    "runs" => worker::runs;
    "runs-once" => around::runs_once;
    "safe-before" => usage::safe_before;
    "settled" => fate::settled;
    "simple" => syntax::simple;
    "sole-release" => owner::sole_release, last;
    "spelled" => bind::spelled, binds;
    "starts-empty" => owner::starts_empty;
    "starts-task" => worker::starts_task;
    "stays" => temp::stays;
    "stays-local" => collection::stays_local;
    "stops-early" => asynchronous::stops_early;
    "stored-once" => cycle::stored_once;
    "surely" => registry::surely;
    "takes-attributes" => keeper::takes_attributes;
    "takes-only" => syntax::takes_only;
    "temp" => temp::temp;
    "told" => worker::told;
    "turned" => collection::turned, binds;
    "used-after" => flow::used_after;
    "uses-once" => usage::uses_once;
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let alternative = match rest.split_once(':') {
            Some((number, after)) if number.trim().parse::<usize>().is_ok_and(|number| number > 0) => {
                rest = after.trim();
                number.trim().parse::<usize>().ok().map(|number| number - 1)
            }
            _ => None,
        };
        let negated = rest.strip_prefix("not ").is_some();
        let call = rest.strip_prefix("not ").unwrap_or(rest).trim();
        let (name, arguments) = call
            .strip_suffix(')')
            .and_then(|call| call.split_once('('))
            .ok_or_else(|| format!("cannot read the condition {text:?}; it is `[not] name($x, \"text\", …)`"))?;
        let word = WORDS
            .iter()
            .find(|word| word.name == name.trim())
            .ok_or_else(|| unknown_word(name.trim()))?;
        let arguments = arguments
            .split(',')
            .map(str::trim)
            .filter(|argument| !argument.is_empty())
            .map(parse_argument);
        Ok(Self {
            text: text.to_owned(),
            alternative,
            negated,
            word,
            arguments: arguments.collect(),
        })
    }

    /// Names of the metavariables it asks about.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Variable(name) => Some(name.as_str()),
            Argument::Text(_) => None,
        })
    }

    /// The metavariable that it gives a value.
    pub(super) fn binds(&self) -> Option<&str> {
        self.variables().next().filter(|_| self.word.binds)
    }

    pub(super) fn is_last(&self) -> bool {
        self.word.last
    }

    pub(super) fn holds(&self, scene: &mut Scene<'_, '_, '_>) -> bool {
        let wanted = if self.negated { Truth::No } else { Truth::Yes };
        (self.word.check)(scene, &self.arguments) == wanted
    }
}

fn unknown_word(name: &str) -> String {
    let close = WORDS
        .iter()
        .map(|word| (strsim::jaro_winkler(word.name, name), word.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = close
        .filter(|(score, _)| *score > 0.8)
        .map_or_else(String::new, |(_, word)| format!("; did you mean `{word}`?"));
    format!("there is no condition `{name}`{hint}")
}

fn parse_argument(text: &str) -> Argument {
    match text.strip_prefix('$') {
        Some(name) => Argument::Variable(name.trim_start_matches('$').to_owned()),
        None => Argument::Text(text.trim_matches('"').to_owned()),
    }
}

/// Names of all conditions.
#[cfg(test)]
pub(super) fn condition_names() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|word| word.name)
}

/// The texts from argument `from` on.
fn texts(arguments: &[Argument], from: usize) -> Vec<&str> {
    let texts = arguments.iter().skip(from).filter_map(|argument| match argument {
        Argument::Text(text) => Some(text.as_str()),
        Argument::Variable(_) => None,
    });
    texts.collect()
}

impl<'m> Scene<'_, '_, 'm> {
    /// The value of argument `at`: as the last part sees it.
    fn value(&self, arguments: &[Argument], at: usize) -> Option<Value<'m>> {
        let Argument::Variable(name) = arguments.get(at)? else {
            return None;
        };
        match self.site.parts.last() {
            Some(part) => self.site.value(part, name).cloned(),
            None => self.site.values.get(name).cloned(),
        }
    }

    /// The identifier of argument `at`, or the text that stands there.
    fn word(&self, arguments: &[Argument], at: usize) -> Option<String> {
        if let Argument::Text(text) = arguments.get(at)? {
            return Some(text.clone());
        }
        self.value(arguments, at)?.word().map(str::to_owned)
    }

    fn expr(&self, arguments: &[Argument], at: usize) -> Option<&'m Expr> {
        self.value(arguments, at)?.expr()
    }

    /// The statements of argument `at`, as one block.
    fn block(&self, arguments: &[Argument], at: usize) -> Option<&'m [Stmt]> {
        let value = self.value(arguments, at)?;
        if value.nodes().is_empty() {
            return Some(&[]);
        }
        self.facts.slice(value.nodes())
    }

    fn bind(&mut self, arguments: &[Argument], value: Value<'m>) -> Truth {
        let Some(Argument::Variable(name)) = arguments.first() else {
            return Truth::Unknown;
        };
        match self.site.parts.last_mut() {
            Some(part) if part.hunk > 0 => part.found.values.insert(name.clone(), value),
            _ => self.site.values.insert(name.clone(), value),
        };
        Truth::Yes
    }

    /// Where the last part stands.
    fn at(&self) -> Span {
        self.site.parts.last().map(SitePart::span).unwrap_or_default()
    }
}
