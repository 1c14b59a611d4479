//! Walks the flow graph with a handle in hand, and writes down what the paths end in.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::acquire::Acquisition;
use super::bind::has_come_round;
use super::body;
use super::boxes::Boxes;
use super::container::stays_here;
use super::effect::{Outcome, Setting, apply, branch};
use super::ends::{Deciding, Ends};
use super::facts::Tests;
use super::risk::{self, grade};
use super::setup;
use super::state::{Hold, Key, State};
use super::{
    Cause, Fate, Grade, LeftOpen, Loss, Move, Obligation, Origin, Skipped, World, acquire, class, iterate, raised,
    release_risk,
};
use crate::detect::resources::Resource;
use crate::detect::text_at;
use crate::python::ast::{Expr, Ranged};
use crate::python::flow::{Edge, EdgeKind, Graph, Kind, Step, StepId, Value, Way};
use crate::python::names::{Def, parameters};
use crate::python::{Node, ScopeId, Span};

/// More states than this, and the fate is unknown.
const MAX_STATES: usize = 20_000;
/// The same for all acquisitions of a body together: generated code may acquire thousands of times.
const MAX_STATES_PER_BODY: usize = 3_000_000;
/// More states at one step than this, and what tests said is forgotten there.
const MAX_STATES_PER_STEP: u32 = 24;

/// Follows every acquisition; one graph per body that acquires.
pub(super) fn all<'m>(world: World<'_, 'm>, acquisitions: &[Acquisition<'_, 'm>]) -> Vec<Obligation<'m>> {
    let mut by_body: BTreeMap<ScopeId, Vec<Acquisition<'_, 'm>>> = BTreeMap::new();
    for acquisition in acquisitions {
        by_body.entry(acquisition.body).or_default().push(*acquisition);
    }
    let mut found = Vec::new();
    for (body, acquisitions) in by_body {
        in_body(world, body, &acquisitions, &mut found);
    }
    found.sort_by_key(|obligation| (obligation.span.start, obligation.span.end));
    found
}

/// Which steps evaluate an expression, and what its value is for.
#[derive(Default)]
struct Index {
    places: HashMap<*const Expr, Vec<StepId>>,
    callees: HashSet<*const Expr>,
    readers: HashSet<*const Expr>,
    dropped: HashSet<*const Expr>,
}

impl Index {
    fn of(graph: &Graph<'_>) -> Self {
        let mut index = Self::default();
        for id in graph.ids() {
            match graph.step(id).kind {
                Kind::Discard(expr) => {
                    index.dropped.insert(std::ptr::from_ref(expr));
                }
                Kind::Evaluate(expr) => {
                    let callee = expr.as_call_expr().map(|call| std::ptr::from_ref(&*call.func));
                    index.callees.extend(callee);
                    index.readers.extend(read_at_once(expr));
                    index.places.entry(std::ptr::from_ref(expr)).or_default().push(id);
                }
                _ => {}
            }
        }
        index
    }
}

fn in_body<'m>(
    world: World<'_, 'm>,
    body: ScopeId,
    acquisitions: &[Acquisition<'_, 'm>],
    found: &mut Vec<Obligation<'m>>,
) {
    let node = world.names.scope(body).node;
    let graph = body::graph_of(world, node);
    let tests = Tests::of(&graph, world.module.text());
    let boxes = Boxes::of_body(world, body, body::statements(world, node));
    let abandoned = iterate::abandoned(body::statements(world, node));
    let excused = body::excused(body::statements(world, node));
    let adopted = body::adopted(body::statements(world, node));
    let index = Index::of(&graph);
    let deciding = Deciding::in_body(body::statements(world, node), &tests, world.module.text());
    for acquisition in acquisitions {
        let Some(starts) = index.places.get(&std::ptr::from_ref(acquisition.call)) else {
            continue;
        };
        let setting = Setting {
            world,
            resource: acquisition.resource,
            call: Some(acquisition.call),
            body,
            tests: &tests,
            callees: &index.callees,
            readers: &index.readers,
            dropped: &index.dropped,
            boxes: &boxes,
            abandoned: &abandoned,
            excused: &excused,
            adopted: &adopted,
            stream: None,
            constructs: body::constructs(node),
            ending: false,
            managed: body::is_managed(node),
        };
        let mut facts = tests.known_at(
            body::statements(world, node),
            acquisition.call.range().into(),
            world.module.text(),
        );
        if acquisition.origin == Origin::Table && acquisition.resource.class.as_deref() == Some("io.IOBase") {
            tests.learn_opened(&mut facts, acquisition.call, world.module.text());
        }
        let at = acquisition.call.start().to_u32();
        for (part, pipe) in parts(world, acquisition) {
            let mut facts = facts.clone();
            let stream = pipe.as_ref().map(|(stream, _)| *stream);
            if let Some((stream, places)) = &pipe {
                tests.learn_piped(&mut facts, acquisition.call, stream);
                if let [place] = places.as_slice() {
                    tests.learn_chosen(&mut facts, body::statements(world, node), *place, world.module.text());
                }
            }
            let mut walk = Walk::new(Setting { stream, ..setting }, &graph);
            walk.max_states = MAX_STATES.min(MAX_STATES_PER_BODY / acquisitions.len());
            for start in starts {
                walk.begin(*start, &begun(acquisition, part, facts.clone()));
            }
            walk.run((&deciding, at));
            found.push(obligation(world, acquisition, walk.fate));
        }
    }
}

fn begun<'m>(acquisition: &Acquisition<'_, 'm>, part: Option<usize>, facts: Vec<(u32, bool)>) -> State<'m> {
    match acquisition.receiver {
        Some(receiver) => State::held_by_receiver(acquisition.call, receiver, facts),
        None => State {
            is_path: acquisition.resource.is_path(),
            ..State::acquired(acquisition.call, part, facts)
        },
    }
}

/// What a function does with one of its parameters, or with what is in the list that it is; `None` if it is no function.
pub(super) fn follow_parameter<'m>(
    world: World<'_, 'm>,
    function: ScopeId,
    (parameter, in_list): (&str, bool),
) -> Option<Fate<'m>> {
    let node = world.names.scope(function).node;
    let Some(Node::Stmt(statement)) = node else { return None };
    let all = parameters(Def::of(statement)?.arguments);
    let name = all
        .iter()
        .map(|(known, _)| known.arg.as_str())
        .find(|known| *known == parameter)?;
    let graph = body::graph_of(world, node);
    let tests = Tests::of(&graph, world.module.text());
    let setting = Setting {
        world,
        resource: world.table.any(),
        call: None,
        body: function,
        tests: &tests,
        callees: &HashSet::new(),
        readers: &HashSet::new(),
        dropped: &HashSet::new(),
        boxes: &Boxes::default(),
        abandoned: &HashSet::new(),
        excused: &HashSet::new(),
        adopted: &HashSet::new(),
        stream: None,
        constructs: false,
        ending: false,
        managed: body::is_managed(node),
    };
    let mut walk = Walk::new(setting, &graph);
    let mut state = State::handed(name);
    if in_list {
        state.add(name, Hold::IN_LIST);
        state.landed = false;
    }
    walk.begin(Graph::ENTRY, &state);
    walk.run((&[], 0));
    Some(walk.fate)
}

/// What a method that ends the life of its object does with what `self` has under `attribute`; `None` if it does
/// not name it.
pub(super) fn follow_attribute<'m>(
    world: World<'_, 'm>,
    method: ScopeId,
    attribute: &str,
    resource: &Resource,
) -> Option<Fate<'m>> {
    let node = world.names.scope(method).node;
    let mut inner = node?.descendants().filter_map(Node::as_expr);
    let named = inner.find(|expr| class::on_self(expr) == Some(attribute));
    let text = world.module.text();
    // Where only a helper names it, any way to spell it does.
    let name = match named {
        Some(expr) => text_at(text, expr.range().into()),
        None => spelled(world, attribute)?,
    };
    let graph = body::graph_of(world, node);
    let tests = Tests::of(&graph, text);
    let calls = graph.ids().filter_map(|id| match graph.step(id).kind {
        Kind::Evaluate(expr) => expr.as_call_expr(),
        _ => None,
    });
    let callees: HashSet<*const Expr> = calls.map(|call| std::ptr::from_ref(&*call.func)).collect();
    let setting = Setting {
        world,
        resource,
        call: None,
        body: method,
        tests: &tests,
        callees: &callees,
        readers: &HashSet::new(),
        dropped: &HashSet::new(),
        boxes: &Boxes::default(),
        abandoned: &HashSet::new(),
        excused: &HashSet::new(),
        adopted: &HashSet::new(),
        stream: None,
        constructs: false,
        ending: true,
        managed: false,
    };
    let mut walk = Walk::new(setting, &graph);
    walk.begin(Graph::ENTRY, &State::handed(name));
    walk.run((&[], 0));
    (!walk.fate.unknown).then_some(walk.fate)
}

/// `self.attribute` as it stands somewhere in the module.
fn spelled<'m>(world: World<'_, 'm>, attribute: &str) -> Option<&'m str> {
    let mut all = world.nodes().filter_map(Node::as_expr);
    let named = all.find(|expr| class::on_self(expr) == Some(attribute))?;
    Some(text_at(world.module.text(), named.range().into()))
}

/// The inner call of `Unpickler(f).load()`.
fn read_at_once(expr: &Expr) -> Option<*const Expr> {
    const WORDS: [&str; 8] = [
        "load", "dump", "parse", "read", "write", "decode", "extract", "validate",
    ];
    let Expr::Attribute(method) = &*expr.as_call_expr()?.func else {
        return None;
    };
    let reads = WORDS.iter().any(|word| method.attr.starts_with(word));
    (reads && method.value.is_call_expr()).then_some(std::ptr::from_ref(&*method.value))
}

/// `child.wait(timeout=3)` may leave the child running.
fn may_time_out(resource: &Resource, step: &Step<'_>) -> bool {
    let Kind::Evaluate(Expr::Call(call)) = step.kind else {
        return false;
    };
    resource.kind == "child"
        && call
            .keywords
            .iter()
            .any(|keyword| keyword.arg.as_ref().is_some_and(|name| name.as_str() == "timeout"))
}

/// `yield f`
fn hands_out(kind: &Kind<'_>, state: &State<'_>) -> bool {
    match kind {
        Kind::Evaluate(Expr::Yield(node)) => node.value.as_deref().is_some_and(|value| state.carries(value)),
        _ => false,
    }
}

/// A stream of a child, and where it is said to be a pipe.
type Pipe = (&'static str, Vec<Span>);

/// What has to be released one by one: the items of a tuple, the pipes of a child.
fn parts(world: World<'_, '_>, acquisition: &Acquisition<'_, '_>) -> Vec<(Option<usize>, Option<Pipe>)> {
    let resource = acquisition.resource;
    match resource.parts.as_slice() {
        [] if resource.kind == "pipe" => {
            let streams = acquire::piped(world, acquisition.call).into_iter();
            streams.map(|pipe| (None, Some(pipe))).collect()
        }
        [] => vec![(None, None)],
        parts => parts.iter().map(|part| (Some(*part), None)).collect(),
    }
}

fn obligation<'m>(world: World<'_, 'm>, acquisition: &Acquisition<'_, 'm>, fate: Fate<'m>) -> Obligation<'m> {
    let span = Span::from(acquisition.call.range());
    let func = acquisition
        .call
        .as_call_expr()
        .map_or(span, |call| Span::from(call.func.range()));
    Obligation {
        call: acquisition.call,
        span,
        callee: super::shorten(text_at(world.module.text(), func)),
        resource: Cow::Owned(acquisition.resource.clone()),
        body: acquisition.body,
        body_kind: world.names.scope(acquisition.body).kind,
        origin: acquisition.origin,
        fate,
    }
}

/// What a path carries besides its state, for messages only: the first path to a state names them.
#[derive(Clone, Copy)]
struct Trail {
    raised_at: Option<Span>,
    returned_at: Option<Span>,
    /// It was a method of the handle that raised.
    raised_by_handle: bool,
    past_handlers: bool,
    /// The exit of a `with` that an exception has come to, if nothing else has happened since.
    left: Option<StepId>,
}

struct Walk<'a, 'g, 'm> {
    setting: Setting<'a, 'm>,
    graph: &'g Graph<'m>,
    open: VecDeque<(StepId, State<'m>, Trail)>,
    seen: HashSet<(StepId, Key<'m>)>,
    per_step: HashMap<StepId, u32>,
    fate: Fate<'m>,
    ends: Ends<'m>,
    /// An exception at a `yield` that had handed the handle out: the consumer's affair, unless this
    /// generator releases it elsewhere, as context managers do.
    skipped_outside: Option<(Skipped, State<'m>)>,
    max_states: usize,
}

impl<'a, 'g, 'm> Walk<'a, 'g, 'm> {
    fn new(setting: Setting<'a, 'm>, graph: &'g Graph<'m>) -> Self {
        Self {
            setting,
            graph,
            open: VecDeque::new(),
            seen: HashSet::new(),
            per_step: HashMap::new(),
            fate: Fate::default(),
            ends: Ends::default(),
            skipped_outside: None,
            max_states: MAX_STATES,
        }
    }

    /// The handle is held from the normal way out of `start` on.
    fn begin(&mut self, start: StepId, state: &State<'m>) {
        let trail = Trail {
            raised_at: None,
            returned_at: None,
            raised_by_handle: false,
            past_handlers: false,
            left: None,
        };
        for edge in self.graph.out(start) {
            if edge.kind == EdgeKind::Normal {
                self.push(edge.to, state.clone(), trail);
            }
        }
    }

    /// `deciding`: the tests that may have been decided before it is acquired, and where that is.
    fn run(&mut self, deciding: (&[Deciding<'m>], u32)) {
        while let Some((id, state, trail)) = self.open.pop_front() {
            if self.seen.len() > self.max_states {
                self.fate.unknown = true;
                break;
            }
            match id {
                Graph::END | Graph::RETURNED | Graph::JUMPED => self.leave(id, &state, trail),
                Graph::RAISED => self.skip(&state, trail, false),
                _ => self.pass(id, state, trail),
            }
        }
        match self.skipped_outside.take() {
            _ if self.fate.unknown => {}
            Some((skipped, state)) if self.fate.released => self.note(skipped, &state),
            Some(_) => self.moved(Move::Yielded),
            None => {}
        }
        std::mem::take(&mut self.ends).conclude(&mut self.fate, deciding);
    }

    fn push(&mut self, to: StepId, mut state: State<'m>, trail: Trail) {
        let count = self.per_step.entry(to).or_insert(0);
        if *count > MAX_STATES_PER_STEP {
            state.facts.clear();
        }
        if self.seen.insert((to, state.key())) {
            *count += 1;
            self.open.push_back((to, state, trail));
        }
    }

    fn pass(&mut self, id: StepId, state: State<'m>, mut trail: Trail) {
        let step = self.graph.step(id);
        if let Kind::Return(_) = step.kind {
            trail.returned_at = Some(step.span);
        }
        match step.kind {
            Kind::Join => {}
            Kind::Leave(_, Way::Raise) => trail.left = Some(id),
            _ => trail.left = None,
        }
        if let Kind::Branch(test) = step.kind {
            return self.fork(id, test, &state, trail);
        }
        let before = state.clone();
        let uses = self.setting.resource.lazy && (risk::is_use(&step.kind, &before) || hands_out(&step.kind, &before));
        let after = match apply(self.setting, step, state) {
            Outcome::Held(mut after) => {
                after.used |= uses && !risk::is_quiet_use(self.setting.resource, &step.kind);
                Some(after)
            }
            Outcome::Released => return self.release_at(id, &before, trail),
            Outcome::Moved(Move::InLocal(name)) => match self.put_into(name, &before) {
                Some(held) => Some(held),
                None => return self.end_in(name, &before, trail),
            },
            Outcome::Moved(to) => {
                if let Kind::Bind {
                    value: Value::Entered(_),
                    ..
                } = step.kind
                {
                    self.fate.kept_by_with = self.fate.kept_by_with.or(before.entered);
                }
                return self.moved(to);
            }
            Outcome::Lost(how) => {
                if let (
                    Loss::Replaced,
                    Kind::Bind {
                        value: Value::Of(by), ..
                    },
                ) = (how, step.kind)
                    && before.raised == Grade::Nothing
                {
                    self.fate.replaced_by.get_or_insert(by.range().into());
                }
                let mut at_loss = before.clone();
                if let Kind::Enter(_) = step.kind {
                    at_loss.entered = Some(step.span);
                }
                self.lose(how, step.span, &at_loss, trail);
                None
            }
        };
        for edge in self.graph.out(id) {
            match (edge.kind, &after) {
                (EdgeKind::Exception, _) => self.raise(id, *edge, &before, trail),
                (EdgeKind::False, _) if matches!(step.kind, Kind::Next(each) if !has_come_round(each, &before)) => {}
                (EdgeKind::False, Some(after)) if self.is_exhausted(step, &before) => {
                    self.release(step.span, &before);
                    if self.may_be_abandoned(step) {
                        self.push(edge.to, after.clone(), trail);
                    }
                }
                (_, Some(after)) => self.push(edge.to, after.clone(), trail),
                (_, None) => {}
            }
        }
    }

    /// What a release raises is taken not to leave it open; a wait that gives up does.
    fn release_at(&mut self, id: StepId, before: &State<'m>, trail: Trail) {
        let step = self.graph.step(id);
        if may_time_out(self.setting.resource, step) {
            let edges = self.graph.out(id).iter();
            for edge in edges.filter(|edge| edge.kind == EdgeKind::Exception) {
                self.raise(id, *edge, before, trail);
            }
        }
        self.release(step.span, before);
    }

    /// What is put into a container that stays here is held by its name as before.
    fn put_into(&self, container: &str, before: &State<'m>) -> Option<State<'m>> {
        let is_named = !before.names.is_empty();
        (is_named && self.stays_in(container)).then(|| {
            let mut held = before.clone();
            held.end_flight();
            held
        })
    }

    /// No name holds it but the container's.
    fn end_in(&mut self, container: &str, before: &State<'m>, trail: Trail) {
        if before.names.is_empty() && self.stays_in(container) {
            self.lose(Loss::End, self.end_of_body(), before, trail);
        } else {
            self.moved(Move::Container);
        }
    }

    fn stays_in(&self, container: &str) -> bool {
        !self.setting.world.table.only_named_releases && stays_here(self.setting, container)
    }

    fn release(&mut self, at: Span, state: &State<'m>) {
        self.fate.released = true;
        self.ends.release(&state.facts);
        if state.raised == Grade::Nothing {
            self.fate.released_at.insert(at);
        }
    }

    /// `for entry in entries: ...` leaves nothing open when there is no next one.
    fn is_exhausted(&self, step: &Step<'m>, state: &State<'m>) -> bool {
        let holds = |iterable: &Expr| state.holds(iterable).is_some_and(|hold| hold.part.is_none());
        self.setting.resource.ends_itself && matches!(step.kind, Kind::Next(iterable) if holds(iterable))
    }

    /// `any(entry.is_dir() for entry in entries)` may stop before the end.
    fn may_be_abandoned(&self, step: &Step<'m>) -> bool {
        matches!(step.kind, Kind::Next(iterable) if self.setting.abandoned.contains(&std::ptr::from_ref(iterable)))
    }

    fn fork(&mut self, id: StepId, test: &'m Expr, state: &State<'m>, trail: Trail) {
        for edge in self.graph.out(id) {
            if let Some(after) = branch(self.setting, id, test, edge.kind, state) {
                self.push(edge.to, after, trail);
            }
        }
    }

    /// An exception leaves the step. A value in flight is gone with it.
    fn raise(&mut self, id: StepId, edge: Edge, before: &State<'m>, mut trail: Trail) {
        let step = self.graph.step(id);
        let mut state = before.clone();
        match step.kind {
            // Cleanups pass on what was raised before, but for what they suppress.
            Kind::Join => {
                let suppressed = trail.left.and_then(|left| self.suppressed(left));
                let is_caught =
                    |caught: Vec<&str>| raised::catch_all(&caught) || self.catches(&caught, &mut state, &mut trail);
                if suppressed.is_some_and(is_caught) {
                    return;
                }
            }
            Kind::Raise(Some(named)) if state.raised != Grade::Nothing => {
                state.raised_as = Some(named);
                state.caught_as = &[];
            }
            // A handler that raises does so in any case: that takes no second piece of bad luck.
            Kind::Raise(_) if state.raised != Grade::Nothing => {}
            Kind::Dispatch(handlers) => {
                if self.catches(&raised::caught_by(handlers), &mut state, &mut trail) {
                    return;
                }
            }
            _ => {
                let Some((risk, cause)) = self.risk(step, &state) else {
                    return;
                };
                // Where a cleanup itself raises, the leak takes two exceptions.
                state.raised = if state.raised == Grade::Nothing {
                    risk
                } else {
                    Grade::Unlikely
                };
                state.cause = cause;
                state.raised_as = match step.kind {
                    Kind::Raise(named) => named,
                    Kind::Evaluate(expr) => risk::raises_only(self.setting, expr, before),
                    _ => None,
                };
                state.caught_as = if cause == Cause::Release || self.setting.ending {
                    release_risk::caught_as(self.setting, step, before)
                } else {
                    &[]
                };
                trail.raised_at = Some(step.span);
                trail.past_handlers = false;
                state.yielded |= (!self.setting.managed || state.is_path) && hands_out(&step.kind, &state);
                trail.raised_by_handle = risk::is_call_on_handle(&step.kind, &state);
            }
        }
        if !state.landed {
            state.end_flight();
        }
        if state.is_lost() || edge.to == Graph::RAISED {
            self.skip(&state, trail, false);
        } else {
            self.push(edge.to, state, trail);
        }
    }

    /// What the `with` whose exit this is suppresses.
    fn suppressed(&self, exit: StepId) -> Option<Vec<&'m str>> {
        match self.graph.step(exit).kind {
            Kind::Leave(item, _) => raised::suppressed(self.setting.world, item),
            _ => None,
        }
    }

    /// Whether handlers of these classes certainly catch what was raised; what they mostly catch is unlikely to pass.
    fn catches(&self, caught: &[&str], state: &mut State<'m>, trail: &mut Trail) -> bool {
        let is_named = |named: &Expr| raised::is_caught(self.setting.world, named, caught);
        let is_known = caught.iter().any(|class| state.caught_as.contains(class));
        if is_known || state.raised_as.is_some_and(is_named) {
            return true;
        }
        trail.past_handlers = true;
        if trail.raised_by_handle && risk::catch_what_handles_raise(self.setting.resource, caught) {
            state.raised = Grade::Unlikely;
        }
        false
    }

    /// How likely the step raises, and what that would be; `None` if it does not.
    fn risk(&self, step: &Step<'m>, state: &State<'m>) -> Option<(Grade, Cause)> {
        let setting = self.setting;
        let is_use = || risk::is_use(&step.kind, state) || hands_out(&step.kind, state);
        if setting.resource.lazy && !state.used && !is_use() {
            return None;
        }
        let risk = match grade(setting, step, state) {
            Grade::Nothing if state.raised != Grade::Nothing => return None,
            Grade::Nothing => {
                let risk = release_risk::of_another(setting, step, state)?;
                return Some((risk, Cause::Release));
            }
            risk if setting.ending => release_risk::in_ending(setting.world, step, risk)?,
            risk => risk,
        };
        Some((risk, setup::cause(setting, step, state)))
    }

    fn moved(&mut self, to: Move<'m>) {
        if !self.fate.moves.contains(&to) {
            self.fate.moves.push(to);
        }
    }

    fn leave(&mut self, id: StepId, state: &State<'m>, trail: Trail) {
        let how = if id == Graph::END { Loss::End } else { Loss::Return };
        if state.yielded {
            return self.moved(Move::Yielded);
        }
        // An object that keeps a lock does not owe what one of its methods acquires.
        if let Some(attribute) = state.on_self()
            && !self.setting.resource.is_receiver()
        {
            return self.moved(Move::OnSelf(attribute));
        }
        let at = trail.returned_at.unwrap_or_else(|| self.end_of_body());
        self.lose(how, at, state, trail);
    }

    fn end_of_body(&self) -> Span {
        let scope = self.setting.world.names.scope(self.setting.body);
        let text = self.setting.world.module.text();
        let end = scope
            .node
            .map_or(crate::python::span::offset(text.len()), |node| node.span().end);
        Span::at(end)
    }

    fn lose(&mut self, how: Loss, at: Span, state: &State<'m>, trail: Trail) {
        if state.raised != Grade::Nothing {
            return self.skip(state, trail, true);
        }
        let resource = self.setting.resource;
        if resource.lazy && resource.needs.is_some() && !state.used {
            return;
        }
        let left = LeftOpen {
            how,
            at,
            name: state.names.first().map(|(name, _)| *name).or(state.last_name),
            doubt: state.doubt,
            entered: state.entered,
        };
        self.ends.leave_open(left, &state.facts);
    }

    fn skip(&mut self, state: &State<'m>, trail: Trail, caught: bool) {
        let Some(at) = trail.raised_at else { return };
        let skipped = Skipped {
            at,
            grade: state.raised,
            doubt: state.doubt,
            cause: state.cause,
            caught,
            past_handlers: trail.past_handlers,
            kept_on_self: state.on_self().is_some(),
        };
        if state.yielded {
            self.skipped_outside = Some((skipped, state.clone()));
            return;
        }
        self.note(skipped, state);
    }

    fn note(&mut self, skipped: Skipped, state: &State<'m>) {
        let name = state.names.first().map(|(name, _)| *name).or(state.last_name);
        self.ends.skip(skipped, name, &state.facts);
    }
}
