//! What becomes of a handle when something is bound: who holds it then, and who does not any more.

use super::effect::{Outcome, Setting, is_bound_release, is_pipe, lost};
use super::state::{Hold, State};
use super::{Loss, Move, acquire, class, summary};
use crate::detect::text_at;
use crate::python::ast::{Expr, Ranged, Stmt};
use crate::python::flow::{Value, names_bound};
use crate::python::names::ScopeKind;
use crate::python::{Node, ScopeId, Span};

/// A name, attribute or item gets a value.
pub(super) fn bind<'m>(
    setting: Setting<'_, 'm>,
    target: &'m Expr,
    value: Value<'m>,
    mut state: State<'m>,
) -> Outcome<'m> {
    let text = setting.world.module.text();
    let of = match value {
        Value::Of(expr) => Some(expr),
        Value::Entered(item) => Some(&item.context_expr),
        Value::ItemOf { inner: true, .. } => return Outcome::Held(state),
        Value::ItemOf { iterable, .. } if displays(iterable, &state).is_some() => {
            return Outcome::Held(bind_item(target, iterable, state));
        }
        Value::ItemOf { .. } | Value::Updated(_) => None,
    };
    setting.tests.assign(&mut state.facts, target, of, text);
    // `close = f.close`, to be called later.
    if of.is_some_and(|value| is_bound_release(setting, value, &state)) {
        return Outcome::Moved(Move::Registered);
    }
    if of.is_some_and(|value| is_pipe(setting, value, &state)) {
        return Outcome::Moved(Move::Container);
    }
    if of.is_some_and(|value| setting.is_acquisition(value)) {
        setting.tests.learn_made(&mut state.facts, target);
    }
    let before = state.clone();
    for name in names_bound(target) {
        state.remove(name);
    }
    if let Expr::Attribute(node) = target
        && let Some(name) = before.kept_as(node)
    {
        state.remove(name);
    }
    let mut taken = None;
    if before
        .iterated
        .is_some_and(|(held, _)| of.is_some_and(|value| std::ptr::eq(held, value)))
    {
        state.iterated = None;
    }
    if let Some(expr) = of {
        store(setting, target, expr, &before, &mut state, &mut taken);
    }
    if let Some(taken) = taken {
        let is_named_too = !state.names.is_empty() && before.names.is_empty();
        return Outcome::Moved(match taken {
            Move::InLocal(_) if is_named_too => Move::Container,
            other => other,
        });
    }
    let value_span = of.map_or(target.range().into(), |expr| Span::from(expr.range()));
    if before.flies_in(value_span) && !state.landed {
        state.end_flight();
        let how = if before.flight.is_some_and(|(_, hold)| hold.part.is_some()) {
            Loss::Rebound
        } else {
            Loss::Dropped
        };
        return if state.names.is_empty() {
            lost(how, &state)
        } else {
            Outcome::Held(state)
        };
    }
    if state.is_lost() {
        let another = of.is_some_and(|value| acquire::acquires(setting.world, value));
        lost(if another { Loss::Replaced } else { Loss::Rebound }, &state)
    } else {
        Outcome::Held(state)
    }
}

/// How a display that a loop walks holds the handle: `for each in (f, g): each.close()`.
pub(super) fn displays(iterable: &Expr, state: &State<'_>) -> Option<Hold> {
    if is_list_of_it(iterable, state) {
        return Some(Hold {
            wrapped: false,
            part: None,
        });
    }
    let inside = |item: &Expr| state.carries(item).then_some(Hold::IN_LIST);
    items(iterable)?
        .iter()
        .find_map(|item| state.holds(item).or_else(|| inside(item)))
}

/// The list in which it has been put.
fn is_list_of_it(iterable: &Expr, state: &State<'_>) -> bool {
    iterable.is_name_expr() && state.holds(iterable) == Some(Hold::IN_LIST)
}

/// The items that are written out, in `filter(None, (f, g))` too.
fn items(iterable: &Expr) -> Option<&[Expr]> {
    match iterable {
        Expr::Call(call) => {
            let passes = ["filter", "reversed", "list", "tuple"].contains(&super::tail(&call.func));
            call.args.last().filter(|_| passes).and_then(elements)
        }
        other => elements(other),
    }
}

/// Each round may be the one for the handle; the path on which none is does not exist.
fn bind_item<'m>(target: &'m Expr, iterable: &Expr, mut state: State<'m>) -> State<'m> {
    if is_list_of_it(iterable, &state) {
        state.walked = Some(std::ptr::from_ref(iterable));
    }
    if let (Expr::Name(name), Some(hold)) = (target, displays(iterable, &state)) {
        state.add(&name.id, hold);
    }
    state
}

/// Whether the loop over a display has come to the handle.
pub(super) fn has_come_round(iterable: &Expr, state: &State<'_>) -> bool {
    if is_list_of_it(iterable, state) {
        return state.walked == Some(std::ptr::from_ref(iterable));
    }
    let named = items(iterable)
        .into_iter()
        .flatten()
        .filter(|item| state.holds(item).is_some());
    displays(iterable, state).is_none() || state.names.len() > named.count()
}

/// Stores a value into a target, item by item where both are written out.
fn store<'m>(
    setting: Setting<'_, 'm>,
    target: &'m Expr,
    value: &'m Expr,
    before: &State<'m>,
    state: &mut State<'m>,
    taken: &mut Option<Move<'m>>,
) {
    if let Some(pairs) = unpacked(target, value) {
        for (target, value) in pairs {
            store(setting, target, value, before, state, taken);
        }
        return;
    }
    match before.holds(value) {
        Some(hold) => store_held(setting, target, hold, state, taken),
        None if before.carries(value) => *taken = Some(collected_in(setting, target)),
        None => {}
    }
}

/// What each target gets of a value that is written out; all that a starred one gets stands beside it.
fn unpacked<'m>(target: &'m Expr, value: &'m Expr) -> Option<Vec<(&'m Expr, &'m Expr)>> {
    let (targets, values) = (elements(target)?, elements(value)?);
    if values.iter().any(Expr::is_starred_expr) {
        return None;
    }
    let Some(starred) = targets.iter().position(Expr::is_starred_expr) else {
        return (targets.len() == values.len()).then(|| targets.iter().zip(values).collect());
    };
    let after = targets.len() - starred - 1;
    let rest = starred..values.len().checked_sub(after)?;
    let middle = values.get(rest.clone())?.iter().map(|value| (&targets[starred], value));
    let before = targets[..starred].iter().zip(values);
    let last = targets[starred + 1..].iter().zip(&values[rest.end..]);
    Some(before.chain(middle).chain(last).collect())
}

fn store_held<'m>(
    setting: Setting<'_, 'm>,
    target: &'m Expr,
    hold: Hold,
    state: &mut State<'m>,
    taken: &mut Option<Move<'m>>,
) {
    match target {
        Expr::Name(name) => match owner_of_name(setting, &name.id) {
            Some(owner) => *taken = Some(owner),
            None => state.add(&name.id, hold),
        },
        Expr::Attribute(node) => {
            let on_self = node.value.as_name_expr().is_some_and(|name| name.id.as_str() == "self");
            let spelled = text_at(setting.world.module.text(), node.range().into());
            if on_self && setting.constructs && spelled.strip_prefix("self.") == Some(node.attr.as_str()) {
                return state.add(spelled, hold);
            }
            *taken = Some(if on_self {
                Move::OnSelf(&node.attr)
            } else if names_a_class(setting, &node.value) {
                Move::OnClass(&node.attr)
            } else {
                Move::Elsewhere
            });
        }
        Expr::Subscript(node) => *taken = Some(container(setting, &node.value)),
        Expr::Starred(_) => *taken = Some(Move::Container),
        Expr::Tuple(_) | Expr::List(_) => {
            let item = elements(target)
                .zip(hold.part)
                .and_then(|(targets, part)| targets.get(part));
            if let Some(item) = item {
                store_held(setting, item, Hold { part: None, ..hold }, state, taken);
            }
        }
        _ => {}
    }
}

/// Names that outlive the body: `global` ones, and attributes of a class that its body binds.
fn owner_of_name<'m>(setting: Setting<'_, 'm>, name: &'m str) -> Option<Move<'m>> {
    let names = setting.world.names;
    if names.scope(setting.body).kind == ScopeKind::Class {
        return Some(Move::OnClass(name));
    }
    match names.home(name, setting.body) {
        home if home == setting.body => None,
        ScopeId::MODULE => Some(Move::Global(name)),
        _ => Some(Move::Elsewhere),
    }
}

/// `cls`, `type(self)`, `self.__class__`, `Registry`
fn names_a_class(setting: Setting<'_, '_>, object: &Expr) -> bool {
    match object {
        Expr::Name(name) if name.id.as_str() == "cls" => true,
        Expr::Name(_) => summary::class_named(setting.world, object).is_some(),
        Expr::Attribute(node) => node.attr.as_str() == "__class__",
        Expr::Call(call) => call.func.as_name_expr().is_some_and(|name| name.id.as_str() == "type"),
        _ => false,
    }
}

/// A display or comprehension that holds it becomes the value of the target.
pub(super) fn collected_in<'m>(setting: Setting<'_, 'm>, target: &'m Expr) -> Move<'m> {
    match target {
        Expr::Attribute(node) if class::is_self(&node.value) => Move::InSelf(&node.attr),
        Expr::Subscript(node) => container(setting, &node.value),
        other => container(setting, other),
    }
}

/// It is put into a container: whose?
pub(super) fn container<'m>(setting: Setting<'_, 'm>, container: &'m Expr) -> Move<'m> {
    let names = setting.world.names;
    match container {
        Expr::Attribute(node) if class::is_self(&node.value) && makes(setting, &node.attr) => Move::InSelf(&node.attr),
        Expr::Name(name) if names.home(&name.id, setting.body) == ScopeId::MODULE => Move::InGlobal(&name.id),
        Expr::Name(name) if names.home(&name.id, setting.body) == setting.body => Move::InLocal(&name.id),
        _ => Move::Container,
    }
}

/// Whether the class makes what is in the attribute: a container that it is handed may have another owner.
fn makes(setting: Setting<'_, '_>, attribute: &str) -> bool {
    let world = setting.world;
    let class = class::of_method(world, setting.body);
    let line = class.map(|class| class::lineage(world, class)).unwrap_or_default();
    let nodes = line.into_iter().filter_map(|class| world.names.scope(class).node);
    nodes.flat_map(Node::descendants).any(|node| {
        let (targets, value) = match node {
            Node::Stmt(Stmt::Assign(node)) => (node.targets.as_slice(), Some(&*node.value)),
            Node::Stmt(Stmt::AnnAssign(node)) => (std::slice::from_ref(&*node.target), node.value.as_deref()),
            _ => return false,
        };
        let names = |target: &Expr| match target {
            Expr::Name(name) => name.id.as_str() == attribute,
            other => class::on_self(other) == Some(attribute),
        };
        targets.iter().any(names) && value.is_some_and(makes_container)
    })
}

pub(super) fn makes_container(value: &Expr) -> bool {
    const CALLS: [&str; 8] = [
        "list",
        "dict",
        "set",
        "defaultdict",
        "OrderedDict",
        "deque",
        "ExitStack",
        "AsyncExitStack",
    ];
    match value {
        Expr::Call(call) => CALLS.contains(&super::tail(&call.func)),
        other => matches!(
            other,
            Expr::List(_)
                | Expr::Tuple(_)
                | Expr::Dict(_)
                | Expr::Set(_)
                | Expr::ListComp(_)
                | Expr::DictComp(_)
                | Expr::SetComp(_)
        ),
    }
}

fn elements(target: &Expr) -> Option<&[Expr]> {
    match target {
        Expr::Tuple(node) => Some(&node.elts),
        Expr::List(node) => Some(&node.elts),
        _ => None,
    }
}
