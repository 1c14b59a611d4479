//! What is known on one path about one handle: who holds it, what has happened to it.

use super::{Cause, Doubt, Grade};
use crate::python::Span;
use crate::python::ast::{BoolOp, Constant, Expr, ExprAttribute, Ranged};

/// Calls whose result is the same place, and those whose result lies inside it.
const SAME_PATH: [&str; 23] = [
    "Path",
    "PurePath",
    "str",
    "fspath",
    "abspath",
    "realpath",
    "normpath",
    "resolve",
    "absolute",
    "as_posix",
    "encode",
    "dirname",
    "cast",
    "fsencode",
    "fsdecode",
    "to_bytes",
    "to_text",
    "to_native",
    "to_str",
    "force_str",
    "quote",
    "bytes",
    "expanduser",
];
const PATH_INSIDE: [&str; 6] = ["join", "joinpath", "with_suffix", "format", "mkdtemp", "with_name"];

/// A holder of the handle. `wrapped`: it holds an object that releases the handle when it is closed or
/// left. `part`: it holds a tuple whose item of this number is the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hold {
    pub(super) wrapped: bool,
    pub(super) part: Option<usize>,
}

/// The `part` of what is somewhere in a list.
pub(super) const SOME_ITEM: usize = usize::MAX;

impl Hold {
    /// How a list holds it, in which it is put.
    pub(super) const IN_LIST: Self = Self {
        wrapped: true,
        part: Some(SOME_ITEM),
    };
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the path")]
pub(super) struct State<'m> {
    /// Names that hold it, sorted.
    pub(super) names: Vec<(&'m str, Hold)>,
    /// The expression whose value it is, until that value is consumed.
    pub(super) flight: Option<(&'m Expr, Hold)>,
    /// The iterable of the loop that walks it.
    pub(super) iterated: Option<(&'m Expr, Hold)>,
    /// The loop that has come to it in the list which holds it.
    pub(super) walked: Option<*const Expr>,
    /// The value has been bound to a name; a second target of the same statement may follow.
    pub(super) landed: bool,
    pub(super) raised: Grade,
    pub(super) cause: Cause,
    pub(super) doubt: Doubt,
    pub(super) yielded: bool,
    /// A `with` has been left that does not release it.
    pub(super) entered: Option<Span>,
    /// Truth of tests, by their number; sorted.
    pub(super) facts: Vec<(u32, bool)>,
    /// The last name that held it.
    pub(super) last_name: Option<&'m str>,
    /// It is a path, and what is made of it leads there as well: `os.path.join(folder, "x")`.
    pub(super) is_path: bool,
    /// The exception that a `raise` on the way has named, or the call that could not open something.
    pub(super) raised_as: Option<&'m Expr>,
    /// The classes one of which catches all that the step which has raised is known to raise.
    pub(super) caught_as: &'static [&'static str],
    /// A method of it has been called, or others have it.
    pub(super) used: bool,
}

impl<'m> State<'m> {
    pub(super) fn acquired(call: &'m Expr, part: Option<usize>, facts: Vec<(u32, bool)>) -> Self {
        Self {
            flight: Some((call, Hold { wrapped: false, part })),
            facts,
            last_name: None,
            ..Self::handed_to(Vec::new())
        }
    }

    /// `lock.acquire()`: the object that is spelled so is held, and the call's value says that it is.
    pub(super) fn held_by_receiver(call: &'m Expr, receiver: &'m str, facts: Vec<(u32, bool)>) -> Self {
        let hold = Hold {
            wrapped: false,
            part: None,
        };
        Self {
            flight: Some((call, hold)),
            facts,
            last_name: Some(receiver),
            ..Self::handed_to(vec![(receiver, hold)])
        }
    }

    fn handed_to(names: Vec<(&'m str, Hold)>) -> Self {
        Self {
            names,
            flight: None,
            iterated: None,
            walked: None,
            landed: false,
            raised: Grade::Nothing,
            cause: Cause::Operation,
            doubt: Doubt::None,
            yielded: false,
            entered: None,
            facts: Vec::new(),
            last_name: None,
            is_path: false,
            raised_as: None,
            caught_as: &[],
            used: false,
        }
    }

    /// A parameter that holds it from the beginning.
    pub(super) fn handed(name: &'m str) -> Self {
        let hold = Hold {
            wrapped: false,
            part: None,
        };
        Self {
            last_name: Some(name),
            used: true,
            ..Self::handed_to(vec![(name, hold)])
        }
    }

    /// The same, if there is such a parameter.
    pub(super) fn handed_maybe(name: Option<&'m str>) -> Self {
        name.map_or_else(|| Self::handed_to(Vec::new()), Self::handed)
    }

    /// How the value of the expression holds the handle, if it does.
    pub(super) fn holds(&self, expr: &Expr) -> Option<Hold> {
        if let Some((flight, hold)) = self.flight
            && std::ptr::eq(flight, expr)
        {
            return Some(hold);
        }
        if let Some((iterated, hold)) = self.iterated
            && std::ptr::eq(iterated, expr)
        {
            return Some(hold);
        }
        if self.is_path
            && let Some(hold) = self.leads_to(expr)
        {
            return Some(hold);
        }
        match expr {
            Expr::Name(name) => self.held_by(&name.id),
            Expr::Attribute(node) => self.kept_as(node).and_then(|name| self.held_by(name)),
            Expr::Call(_) => {
                let mut names = self.names.iter().filter(|(name, _)| name.ends_with(')'));
                names.find(|(name, _)| spells_expr(name, expr)).map(|(_, hold)| *hold)
            }
            Expr::Subscript(node) => {
                let hold = self.holds(&node.value)?;
                (hold.part == index(&node.slice)).then_some(())?;
                hold.part.map(|_| Hold { part: None, ..hold })
            }
            Expr::NamedExpr(node) => self.holds(&node.value),
            Expr::Await(node) => self.holds(&node.value),
            Expr::IfExp(node) => self.holds(&node.body).or_else(|| self.holds(&node.orelse)),
            // A handle is true: `f and g` is never `f` while that is held.
            Expr::BoolOp(node) if node.op == BoolOp::And => self.holds(node.values.last()?),
            Expr::BoolOp(node) => node.values.iter().find_map(|value| self.holds(value)),
            _ => None,
        }
    }

    /// How a path that is made of others holds the one that is followed; what lies inside a folder wraps it.
    fn leads_to(&self, expr: &Expr) -> Option<Hold> {
        let inside = |hold: Hold| Hold { wrapped: true, ..hold };
        match expr {
            Expr::Attribute(node) if ["name", "path"].contains(&node.attr.as_str()) => self.holds(&node.value),
            Expr::Attribute(node) if node.attr.as_str() == "parent" => self.holds(&node.value),
            Expr::BinOp(node) => self.holds(&node.left).or_else(|| self.holds(&node.right)).map(inside),
            Expr::JoinedStr(node) => node.values.iter().find_map(|value| match value {
                Expr::FormattedValue(field) => self.holds(&field.value).map(inside),
                _ => None,
            }),
            Expr::Call(call) => {
                let (tail, receiver) = match &*call.func {
                    Expr::Name(name) => (name.id.as_str(), None),
                    Expr::Attribute(node) => (node.attr.as_str(), Some(&*node.value)),
                    _ => return None,
                };
                let held = call.args.iter().chain(receiver).find_map(|one| self.holds(one));
                let is_same = SAME_PATH.contains(&tail);
                held.filter(|_| is_same || PATH_INSIDE.contains(&tail))
                    .map(|hold| if is_same { hold } else { inside(hold) })
            }
            _ => None,
        }
    }

    pub(super) fn held_by(&self, name: &str) -> Option<Hold> {
        let found = self.names.iter().find(|(holder, _)| *holder == name);
        found.map(|(_, hold)| *hold)
    }

    /// The attribute that holds it, as it is spelled: one of `self` that a constructor has put it into, or
    /// the lock itself.
    pub(super) fn kept_as(&self, node: &ExprAttribute) -> Option<&'m str> {
        let mut kept = self.names.iter().map(|(name, _)| *name);
        kept.find(|name| spells(name, node))
    }

    /// The attribute of `self` that holds it.
    pub(super) fn on_self(&self) -> Option<&'m str> {
        self.names.iter().find_map(|(name, _)| name.strip_prefix("self."))
    }

    /// Whether the value is the handle or a display that contains it.
    pub(super) fn carries(&self, expr: &Expr) -> bool {
        self.holds(expr).is_some()
            || match expr {
                Expr::Tuple(node) => node.elts.iter().any(|one| self.carries(one)),
                Expr::List(node) => node.elts.iter().any(|one| self.carries(one)),
                Expr::Set(node) => node.elts.iter().any(|one| self.carries(one)),
                Expr::Dict(node) => node.values.iter().any(|one| self.carries(one)),
                // A handle that is starred is read to its end; the items of a list or tuple go on.
                Expr::Starred(node) => match self.holds(&node.value) {
                    Some(hold) => hold.part.is_some(),
                    None => self.carries(&node.value),
                },
                Expr::IfExp(node) => self.carries(&node.body) || self.carries(&node.orelse),
                _ => false,
            }
    }

    /// Whether the value in flight is made inside `outer`.
    pub(super) fn flies_in(&self, outer: Span) -> bool {
        let inside = |(flight, _): (&Expr, Hold)| outer.contains(Span::from(flight.range()));
        !self.landed && self.flight.is_some_and(inside)
    }

    pub(super) fn add(&mut self, name: &'m str, hold: Hold) {
        self.remove(name);
        self.names.push((name, hold));
        self.names.sort_unstable_by_key(|(name, _)| *name);
        self.last_name = Some(name);
        self.landed = true;
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.names.retain(|(holder, _)| *holder != name);
    }

    /// Whether the expression's value is the handle, which has no name yet.
    pub(super) fn is_flying(&self, expr: &Expr) -> bool {
        !self.landed && self.flight.is_some_and(|(flight, _)| std::ptr::eq(flight, expr))
    }

    pub(super) fn end_flight(&mut self) {
        self.flight = None;
        self.landed = false;
    }

    pub(super) fn fly(&mut self, expr: &'m Expr, hold: Hold) {
        self.flight = Some((expr, hold));
        self.landed = false;
    }

    /// Whether nothing in sight holds the handle any more.
    pub(super) fn is_lost(&self) -> bool {
        self.names.is_empty() && self.iterated.is_none() && (self.flight.is_none() || self.landed)
    }

    pub(super) fn key(&self) -> Key<'m> {
        Key {
            names: self.names.clone(),
            flight: self
                .flight
                .map(|(expr, hold)| (std::ptr::from_ref(expr) as usize, hold)),
            iterated: self.iterated.map(|(expr, _)| std::ptr::from_ref(expr) as usize),
            walked: self.walked,
            raised: (self.raised, self.cause),
            doubt: self.doubt,
            yielded: self.yielded,
            entered: self.entered.is_some(),
            facts: self.facts.clone(),
            raised_as: self.raised_as.map(std::ptr::from_ref),
            caught_as: self.caught_as,
            used: self.used,
        }
    }
}

/// What tells two states at one step apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key<'m> {
    names: Vec<(&'m str, Hold)>,
    flight: Option<(usize, Hold)>,
    iterated: Option<usize>,
    walked: Option<*const Expr>,
    raised: (Grade, Cause),
    doubt: Doubt,
    yielded: bool,
    entered: bool,
    facts: Vec<(u32, bool)>,
    raised_as: Option<*const Expr>,
    caught_as: &'static [&'static str],
    used: bool,
}

/// Whether the chain of names is how the attribute is written: `self.group.lock`.
fn spells(chain: &str, node: &ExprAttribute) -> bool {
    let Some((object, attribute)) = chain.rsplit_once('.') else {
        return false;
    };
    attribute == node.attr.as_str() && spells_expr(object, &node.value)
}

/// The same of any expression; `get_lock()` as well.
fn spells_expr(chain: &str, expr: &Expr) -> bool {
    match expr {
        Expr::Name(name) => name.id.as_str() == chain,
        Expr::Attribute(node) => spells(chain, node),
        Expr::Call(call) if call.args.is_empty() => chain
            .strip_suffix("()")
            .is_some_and(|func| spells_expr(func, &call.func)),
        _ => false,
    }
}

fn index(slice: &Expr) -> Option<usize> {
    let Expr::Constant(node) = slice else { return None };
    match &node.value {
        Constant::Int(value) => value.to_string().parse().ok(),
        _ => None,
    }
}
