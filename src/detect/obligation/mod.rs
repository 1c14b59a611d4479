//! The obligation analysis: whoever acquires a resource owes its release, and each such obligation is
//! followed along the flow graph to its fate.
//!
//! `acquire` finds the obligations, `guess` what names and modes tell of unknown callees, `source` tells what they are made from, `callee` says what calls do with a handle among their arguments, `capture` the same of nested functions,
//! `state` is what is known on one path, `effect` what one step does to it, `bind` what a binding does, `body` what is known of the body around, `boxes` which lists hold handles in sight, `borrow` which objects leave what they are handed to its owner, `risk` how likely a step is
//! to raise, `helper` the same of calls of helpers, `raised` which handlers catch what a `raise` names, `setup` which steps go on with setting up, `alias` which attributes names stand for, `facts` which branches cannot be taken, `follow` walks the graph, `ends` weighs what its paths end in, `iterate` knows who stops before the end, `summary` sees through
//! helpers and owners of the same module, `owner` knows who releases attributes, `class` what classes are made of, `closing` what their last methods do, `container` which containers keep what is put into them, `release_risk` which releases are likely to raise, `finalizer` the nets, `stack` what exit stacks run. Detectors pick the fates that are their pattern.

mod acquire;
mod alias;
mod bind;
mod body;
mod borrow;
mod boxes;
mod callee;
mod capture;
mod class;
mod closing;
mod container;
mod effect;
mod ends;
mod facts;
mod finalizer;
mod follow;
mod guess;
mod helper;
mod iterate;
mod owner;
mod raised;
mod release_risk;
mod risk;
mod setup;
mod source;
mod stack;
mod state;
mod summary;

pub use closing::{Fragile, Owned, Twice};
pub(super) use iterate::left_early;
pub use owner::Release;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use alias::Holder;
use owner::Owners;
use summary::Summaries;

use super::analysed::Analysed;
use super::config::Config;
use super::memory::index::Index;
use super::resources::{Resource, Table};
use super::types::Types;
use crate::leak::Confidence;
use crate::python::ast::Expr;
use crate::python::names::ScopeKind;
use crate::python::{Module, Names, Node, ScopeId, Span};

/// Everything the analysis looks things up in.
#[derive(Clone, Copy)]
pub(super) struct World<'a, 'm> {
    pub(super) module: &'m Module,
    pub(super) names: &'a Names<'m>,
    analysed: &'a Analysed<'m>,
    pub(super) table: &'a Table,
    pub(super) config: &'a Config,
    pub(super) summaries: &'a Summaries,
    /// The module names a class whose instances acquire when they are called.
    pub(super) has_factories: bool,
}

impl<'a, 'm> World<'a, 'm> {
    pub(super) fn nodes(self) -> impl Iterator<Item = Node<'m>> + use<'a, 'm> {
        self.analysed.nodes()
    }

    fn index(self) -> &'a Index<'m> {
        self.analysed.index()
    }

    pub(super) fn types(&self) -> Types<'a, 'm> {
        Types {
            names: self.names,
            table: self.table,
        }
    }
}

/// One acquisition and what becomes of it.
#[derive(Clone, Debug)]
pub struct Obligation<'m> {
    pub call: &'m Expr,
    pub span: Span,
    /// The acquiring call for people, without its arguments: `socket.create_connection(...)`.
    pub callee: String,
    pub resource: Cow<'m, Resource>,
    /// The function, lambda, class or module whose body acquires.
    pub body: ScopeId,
    pub body_kind: ScopeKind,
    pub origin: Origin,
    pub fate: Fate<'m>,
}

/// How an acquisition is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table names the callable.
    Table,
    /// A function of the module returns a handle, or a class of the module owns one.
    Module(ScopeId),
    /// Nobody knows the callable, but the function releases what it gives.
    Release,
}

/// What the paths from an acquisition end in.
#[derive(Clone, Debug, Default)]
pub struct Fate<'m> {
    pub released: bool,
    /// Where paths without exceptions release it.
    pub released_at: BTreeSet<Span>,
    pub moves: Vec<Move<'m>>,
    /// A path without exceptions that ends with the resource held.
    pub left_open: Option<LeftOpen<'m>>,
    /// The `with` whose target takes it over, though leaving that `with` does not release it.
    pub kept_by_with: Option<Span>,
    /// The handle that the name which holds it gets instead.
    pub replaced_by: Option<Span>,
    /// A path that an exception takes, and that ends with the resource held: the likeliest one.
    pub skipped: Option<Skipped>,
    /// A handler catches one that is as likely as the likeliest, and the body ends normally.
    pub swallowed: bool,
    /// What exceptions that skip the release come from, of those as likely as the likeliest.
    pub causes: BTreeSet<Cause>,
    /// More paths than the analysis follows.
    pub unknown: bool,
}

/// Where a path without exceptions loses the resource.
#[derive(Clone, Debug)]
pub struct LeftOpen<'m> {
    pub how: Loss,
    pub at: Span,
    /// The name that held it last; `None` if it never had one.
    pub name: Option<&'m str>,
    pub doubt: Doubt,
    /// The `with` that was left without releasing it.
    pub entered: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The body ends.
    End,
    Return,
    /// The last name that held it is bound to something else.
    Rebound,
    /// The last name that held it gets another handle.
    Replaced,
    Deleted,
    /// The value is dropped, and no name held it.
    Dropped,
}

/// Where an exception leaves with the resource held.
#[derive(Clone, Copy, Debug)]
pub struct Skipped {
    /// What raises.
    pub at: Span,
    pub grade: Grade,
    pub doubt: Doubt,
    pub cause: Cause,
    /// A handler catches it, and the body ends normally.
    pub caught: bool,
    /// It has passed handlers, none of which catches it.
    pub past_handlers: bool,
    /// `self` has it, and whoever has that object may release it yet.
    pub kept_on_self: bool,
}

/// What sort of step raises, from the one that tells least to the one that tells most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Something else is released first.
    Release,
    #[default]
    Operation,
    Call,
    /// A method of the handle or a call that is handed it; a `raise`.
    Use,
    /// A second acquisition, `connect`, a wrapper: the resource is still being set up.
    Setup,
    /// The body of a `with`, or a consumer who stops early.
    Yield,
}

/// How likely a step raises in practice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Never, for all purposes.
    #[default]
    Nothing,
    /// It may, but code that guards against it is hardly written.
    Unlikely,
    Likely,
}

/// Why the program may yet release it where we don't look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    #[default]
    None,
    /// A nested function that others may call uses it.
    Used,
    /// It was handed to a callable that nobody knows.
    Passed,
    /// A nested function hands it on.
    Captured,
}

/// Who took it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move<'m> {
    Returned,
    /// Returned as this item of a tuple.
    ReturnedAs(usize),
    Yielded,
    /// Stored on `self` under this name.
    OnSelf(&'m str),
    /// Put into a container that `self` has under this name, or registered with its `ExitStack`.
    InSelf(&'m str),
    /// Stored as an attribute of a class.
    OnClass(&'m str),
    Elsewhere,
    Container,
    /// A container that a variable of the body holds; a path does not end so, but in one of the others or in a loss.
    InLocal(&'m str),
    Passed,
    /// A nested function releases it.
    Captured,
    Registered,
    /// A variable of the module.
    Global(&'m str),
    /// A container that a variable of the module holds.
    InGlobal(&'m str),
}

impl Move<'_> {
    pub fn is_into_container(&self) -> bool {
        matches!(
            self,
            Self::Container | Self::ReturnedAs(_) | Self::InSelf(_) | Self::InGlobal(_)
        )
    }
}

impl<'m> Obligation<'m> {
    /// The attribute of `self` in which it ends.
    pub fn on_self(&self) -> Option<&'m str> {
        self.fate.moves.iter().find_map(|moved| match moved {
            Move::OnSelf(attribute) => Some(*attribute),
            _ => None,
        })
    }

    /// The same, or the attribute in whose container it ends.
    pub fn kept_in_self(&self) -> Option<&'m str> {
        self.on_self().or_else(|| {
            self.fate.moves.iter().find_map(|moved| match moved {
                Move::InSelf(attribute) => Some(*attribute),
                _ => None,
            })
        })
    }

    /// The variable of the module or the attribute of a class that holds it when the body has run.
    pub fn held_globally(&self) -> Option<&'m str> {
        let moved = self.fate.moves.iter().find_map(|moved| match moved {
            Move::Global(name) | Move::InGlobal(name) | Move::OnClass(name) => Some(*name),
            _ => None,
        });
        moved.or_else(|| {
            let left = self.fate.left_open.as_ref()?;
            let stays = self.body_kind == ScopeKind::Module && left.how == Loss::End && left.entered.is_none();
            left.name.filter(|_| stays)
        })
    }

    /// What outlives the body and holds it.
    fn holder(&self) -> Option<Holder<'m>> {
        if let Some(attribute) = self.kept_in_self() {
            return Some(Holder::Attribute(attribute));
        }
        let name = self.held_globally()?;
        let on_class = self.fate.moves.iter().any(|moved| matches!(moved, Move::OnClass(_)));
        Some(if on_class {
            Holder::Attribute(name)
        } else {
            Holder::Name(ScopeId::MODULE, name)
        })
    }

    /// Whether some path releases it or hands it on.
    pub fn is_ever_discharged(&self) -> bool {
        self.fate.released || !self.fate.moves.is_empty()
    }
}

impl Doubt {
    /// What a finding is still worth under the doubt.
    pub fn lowers(self, confidence: Confidence, kind: &str) -> Confidence {
        match self {
            Self::None => confidence,
            Self::Used => confidence.min(Confidence::Medium),
            // A function that is handed a file mostly reads it; one that is handed a socket mostly keeps it.
            Self::Passed if ["file", "temporary-file", "temporary-path", "archive"].contains(&kind) => {
                confidence.min(Confidence::Medium)
            }
            Self::Passed | Self::Captured => Confidence::Low,
        }
    }
}

/// Helpers of helpers are followed this far.
const MAX_ROUNDS: u32 = 5;

/// What is known of a module's handles.
pub(super) struct Known<'m> {
    /// In the order of the text.
    pub(super) obligations: Vec<Obligation<'m>>,
    /// For each obligation that ends on `self`: by its place and the attribute, who releases that.
    pub(super) owned: BTreeMap<(Span, &'m str), Owned>,
    /// For each obligation that a variable of the module or of a class holds: the same.
    pub(super) global: BTreeMap<(Span, &'m str), Release>,
}

fn world<'w, 'm>(
    analysed: &'w Analysed<'m>,
    table: &'w Table,
    summaries: &'w Summaries,
    has_factories: bool,
) -> World<'w, 'm> {
    World {
        module: analysed.module,
        names: &analysed.names,
        analysed,
        table,
        config: analysed.config(),
        summaries,
        has_factories,
    }
}

/// All obligations of a module: first those that the table knows, then calls of helpers that return
/// them and of classes that own them.
pub(super) fn of_module<'m>(analysed: &Analysed<'m>, table: &Table) -> Known<'m> {
    let text = analysed.module.text();
    let has_factories = table.factories().any(|name| text.contains(name));
    let mut summaries = Summaries::default();
    let mut all = Vec::new();
    let mut fresh = BTreeSet::new();
    let mut owners = Owners::default();
    for round in 0..MAX_ROUNDS {
        let world = world(analysed, table, &summaries, has_factories);
        let acquisitions = acquire::in_module(world, (round > 0).then_some(&fresh));
        if acquisitions.is_empty() && round > 0 {
            break;
        }
        all.extend(follow::all(world, &acquisitions));
        let kept: BTreeSet<Holder<'m>> = all.iter().filter_map(Obligation::holder).collect();
        if !owners.knows_all(&kept) {
            owners = Owners::of_module(world, kept);
        }
        let found = summary::acquiring(world, &all, &owners);
        fresh = summaries.learn(found);
        if fresh.is_empty() {
            break;
        }
    }
    all.sort_by_key(|obligation| (obligation.span.start, obligation.span.end));
    let world = world(analysed, table, &summaries, has_factories);
    Known {
        owned: owned(world, &all, &owners),
        global: global(world, &all, &owners),
        obligations: all,
    }
}

fn owned<'m>(
    world: World<'_, 'm>,
    obligations: &[Obligation<'m>],
    owners: &Owners<'m>,
) -> BTreeMap<(Span, &'m str), Owned> {
    let kept = obligations.iter().filter_map(|obligation| {
        let owned = closing::owned(world, obligation, owners)?;
        Some(((obligation.span, obligation.kept_in_self()?), owned))
    });
    kept.collect()
}

fn global<'m>(
    world: World<'_, 'm>,
    obligations: &[Obligation<'m>],
    owners: &Owners<'m>,
) -> BTreeMap<(Span, &'m str), Release> {
    let held = obligations.iter().filter_map(|obligation| {
        let (name, holder) = (obligation.held_globally()?, obligation.holder()?);
        let class = world.names.enclosing_class(obligation.span.start);
        let class = class.unwrap_or(ScopeId::MODULE);
        let release = owners.release_of_global(world, holder, class, &obligation.resource);
        Some(((obligation.span, name), release))
    });
    held.collect()
}

/// `connect` of `sock.connect`.
fn tail(func: &Expr) -> &str {
    match func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(node) => node.attr.as_str(),
        _ => "",
    }
}

/// A callee on one short line.
fn shorten(text: &str) -> String {
    let line: Vec<_> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= 50 {
        return line;
    }
    let tail: Vec<_> = line.rsplit('.').take(1).collect();
    format!("….{}", tail.concat())
}
