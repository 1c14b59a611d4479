//! Exceptions that are kept: each holds its traceback, that the frames, those their variables.
//!
//! ```py
//! except OSError as error:
//!     self.error = error  # self -> error -> traceback -> this frame -> self
//! ```

use super::collection::may_be_of;
use super::holding::is_fresh;
use super::mention::SHRINKS;
use super::{registry, tail};
use crate::detect::Analysed;
use crate::python::ast::{ExceptHandler, ExceptHandlerExceptHandler, Expr, ExprCall, Ranged, Stmt};
use crate::python::names::{BindingKind, ScopeKind};
use crate::python::{Node, ScopeId, Span};

/// An exception that the frame it passed keeps alive, and by what.
pub(in crate::detect) struct Kept<'m> {
    pub(in crate::detect) at: Span,
    pub(in crate::detect) keeper: &'m Expr,
}

pub(in crate::detect) fn kept<'m>(module: &Analysed<'m>) -> Vec<Kept<'m>> {
    let mut found = Vec::new();
    for node in module.nodes() {
        let Node::Handler(ExceptHandler::ExceptHandler(handler)) = node else {
            continue;
        };
        let scope = module.names.scope_at(handler.start().to_u32());
        if let Some(name) = &handler.name
            && module.names.scope(scope).kind == ScopeKind::Function
            && !strips(handler)
            && !ends_process(module, &handler.body)
        {
            of_handler(module, scope, handler, name, &mut found);
        }
    }
    found
}

fn of_handler<'m>(
    module: &Analysed<'m>,
    scope: ScopeId,
    handler: &'m ExceptHandlerExceptHandler,
    name: &str,
    found: &mut Vec<Kept<'m>>,
) {
    let nodes = handler
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    for node in nodes.filter(|node| module.names.scope_at(node.span().start) == scope) {
        let at = node.span();
        let keeper = match node {
            Node::Stmt(Stmt::Assign(assign)) if holds(&assign.value, name) => assign.targets.first(),
            Node::Stmt(Stmt::AnnAssign(assign)) if assign.value.as_deref().is_some_and(|value| holds(value, name)) => {
                Some(&*assign.target)
            }
            Node::Expr(Expr::Call(call)) => match &*call.func {
                Expr::Attribute(node) if takes_as_many(&node.attr, call) => call
                    .args
                    .iter()
                    .any(|argument| holds(argument, name))
                    .then_some(&*node.value),
                _ => None,
            },
            _ => None,
        };
        if let Some(keeper) = keeper.filter(|keeper| stays(module, scope, keeper, handler.start().to_u32())) {
            found.push(Kept { at, keeper });
        }
    }
}

/// Whether the call may be that of a collection: others with the same name take something else.
fn takes_as_many(method: &str, call: &ExprCall) -> bool {
    let wanted = match method {
        "append" | "add" | "appendleft" => 1,
        "insert" => 2,
        _ => return false,
    };
    call.args.len() == wanted && call.keywords.is_empty()
}

/// `os._exit(1)` as the last thing: no frame outlives it.
fn ends_process(module: &Analysed<'_>, body: &[Stmt]) -> bool {
    let ends = |expr: &Expr| {
        let resolved = module.names.resolve(expr);
        let name = resolved.qualified().map(str::to_owned);
        name.is_some_and(|name| {
            [
                "os._exit",
                "os.abort",
                "sys.exit",
                "builtins.exit",
                "builtins.quit",
                "builtins.SystemExit",
            ]
            .contains(&&*name)
        })
    };
    match body.last() {
        Some(Stmt::Expr(node)) => node.value.as_call_expr().is_some_and(|call| ends(&call.func)),
        Some(Stmt::Raise(node)) => node.exc.as_deref().is_some_and(|raised| match raised {
            Expr::Call(call) => ends(&call.func),
            other => ends(other),
        }),
        _ => false,
    }
}

/// Whether the handler takes the traceback off, or empties the frames.
fn strips(handler: &ExceptHandlerExceptHandler) -> bool {
    let mut nodes = handler
        .body
        .iter()
        .flat_map(|statement| Node::Stmt(statement).descendants());
    nodes.any(|node| match node {
        Node::Expr(Expr::Attribute(node)) => {
            ["with_traceback", "clear_frames"].contains(&node.attr.as_str())
                || (node.attr.as_str() == "__traceback__" && !node.ctx.is_load())
        }
        _ => false,
    })
}

/// The exception itself, or a display that it stands in.
fn holds(value: &Expr, name: &str) -> bool {
    match value {
        Expr::Name(node) => node.id.as_str() == name,
        Expr::Tuple(node) => node.elts.iter().any(|part| holds(part, name)),
        Expr::List(node) => node.elts.iter().any(|part| holds(part, name)),
        Expr::Dict(node) => node.values.iter().any(|part| holds(part, name)),
        _ => false,
    }
}

/// Whether a variable of the frame, or what one reaches, still has it when the function is left.
fn stays(module: &Analysed<'_>, scope: ScopeId, keeper: &Expr, from: u32) -> bool {
    match keeper {
        Expr::Name(name) => {
            let is_local = module.names.home(&name.id, scope) == scope;
            is_local && !is_let_go(module, scope, &name.id, from)
        }
        Expr::Attribute(node) => match &*node.value {
            Expr::Name(name) => {
                let is_local = module.names.home(&name.id, scope) == scope;
                let class = registry::class_around(module, scope).filter(|_| name.id.as_str() == "self");
                is_local && !is_let_go(module, scope, &name.id, from) && !is_broken(module, class, &node.attr)
            }
            _ => false,
        },
        Expr::Subscript(node) => stays(module, scope, &node.value, from),
        _ => false,
    }
}

/// `del error`, `self = None`, `errors.clear()` after it was kept.
fn is_let_go(module: &Analysed<'_>, scope: ScopeId, name: &str, from: u32) -> bool {
    let bound_later = module.names.bindings(name, scope).iter().any(|binding| {
        let frees = match &binding.kind {
            BindingKind::Del => true,
            BindingKind::Assign { value: Some(value) } => is_none(value),
            _ => false,
        };
        frees && binding.span.start > from
    });
    bound_later
        || module
            .index()
            .names(scope, name)
            .iter()
            .any(|mention| is_emptied(module, mention))
}

/// Whether some place that is no constructor takes away what the attribute holds.
pub(in crate::detect) fn is_broken(module: &Analysed<'_>, class: Option<ScopeId>, attribute: &str) -> bool {
    mentions(module, class, attribute)
        .any(|mention| is_emptied(module, mention) || is_freed(module, mention) || is_emptied_by_name(module, mention))
}

/// `later = self.later`, and `later[:] = []`, there or in a function inside
fn is_emptied_by_name(module: &Analysed<'_>, mention: &Expr) -> bool {
    let index = module.index();
    let Some(Node::Stmt(Stmt::Assign(assign))) = index.parent(mention) else {
        return false;
    };
    let [Expr::Name(name)] = assign.targets.as_slice() else {
        return false;
    };
    let home = module
        .names
        .home(&name.id, module.names.scope_at(name.start().to_u32()));
    let names = index.names(home, &name.id).iter();
    let mut others = names.filter(|other| !std::ptr::eq(**other, mention));
    home != ScopeId::MODULE && others.any(|other| is_emptied(module, other))
}

/// The same, of what is no collection that could be emptied.
pub(in crate::detect) fn is_replaced(module: &Analysed<'_>, class: Option<ScopeId>, attribute: &str) -> bool {
    mentions(module, class, attribute).any(|mention| is_freed(module, mention))
}

/// Where the attribute is that of an instance of the class, if that is known.
fn mentions<'a, 'm>(
    module: &'a Analysed<'m>,
    class: Option<ScopeId>,
    attribute: &str,
) -> impl Iterator<Item = &'m Expr> + use<'a, 'm> {
    let all = module.index().attributes(attribute).iter().copied();
    all.filter(move |mention| class.is_none_or(|class| may_be_of(module, class, mention)))
}

fn is_freed(module: &Analysed<'_>, mention: &Expr) -> bool {
    let Expr::Attribute(node) = mention else { return false };
    if node.ctx.is_del() {
        return true;
    }
    let function = module.names.enclosing_function(mention.start().to_u32());
    let constructs = function.is_none_or(|function| {
        let name = module.names.scope(function).name();
        ["__init__", "__new__", "__post_init__"].contains(&name)
    });
    let parent = module.index().parent(mention);
    node.ctx.is_store() && !constructs && parent.is_some_and(|parent| frees(parent, mention))
}

/// `x.a = None`, `x.a = []`, `x.a, y = None, x.a`
fn frees(parent: Node<'_>, target: &Expr) -> bool {
    match parent {
        Node::Stmt(Stmt::Assign(assign)) => {
            is_none(&assign.value) || is_fresh(&assign.value) && is_empty(&assign.value)
        }
        Node::Stmt(Stmt::AnnAssign(assign)) => assign.value.as_deref().is_some_and(is_none),
        Node::Expr(Expr::Tuple(_)) => target.is_attribute_expr(),
        _ => false,
    }
}

/// `x.clear()`, `del x[k]`, `x[:] = []`
pub(in crate::detect) fn is_emptied(module: &Analysed<'_>, mention: &Expr) -> bool {
    match module.index().parent(mention) {
        Some(Node::Expr(Expr::Attribute(node))) => SHRINKS.contains(&node.attr.as_str()),
        Some(Node::Expr(Expr::Subscript(node))) => {
            node.ctx.is_del() || (node.ctx.is_store() && node.slice.is_slice_expr())
        }
        _ => false,
    }
}

fn is_none(value: &Expr) -> bool {
    matches!(value, Expr::Constant(constant) if constant.value.is_none())
}

fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::List(node) => node.elts.is_empty(),
        Expr::Dict(node) => node.keys.is_empty(),
        Expr::Call(call) => call.args.is_empty(),
        _ => false,
    }
}

/// `raise CLOSED` of an exception that the module made once: each time its traceback grows.
pub(in crate::detect) fn raised_again<'m>(module: &Analysed<'m>) -> Vec<Kept<'m>> {
    let raised = module.nodes().filter_map(|node| match node {
        Node::Stmt(Stmt::Raise(raise)) => Some((node.span(), raise.exc.as_deref()?)),
        _ => None,
    });
    raised
        .filter(|(_, keeper)| is_made_at_import(module, keeper))
        .map(|(at, keeper)| Kept { at, keeper })
        .collect()
}

/// Whether a function names an exception that the module made, and makes no other under that name.
fn is_made_at_import(module: &Analysed<'_>, keeper: &Expr) -> bool {
    let Some(name) = keeper.as_name_expr() else {
        return false;
    };
    let scope = module.names.scope_at(keeper.start().to_u32());
    if scope == ScopeId::MODULE || module.names.home(&name.id, scope) != ScopeId::MODULE {
        return false;
    }
    let bindings = module.names.bindings(&name.id, scope);
    let makes = |kind: &BindingKind<'_>| match kind {
        BindingKind::Assign {
            value: Some(Expr::Call(call)),
        } => tail(&call.func).is_some_and(|class| is_exception(class) && !ENDING.contains(&class)),
        _ => false,
    };
    bindings.iter().all(|binding| binding.scope == ScopeId::MODULE) && bindings.iter().any(|one| makes(&one.kind))
}

/// Who raises them ends the program.
const ENDING: [&str; 2] = ["SystemExit", "KeyboardInterrupt"];

/// `ValueError`, `socket.gaierror`, `_Timeout`
fn is_exception(class: &str) -> bool {
    class.ends_with("error")
        || ["Error", "Exception", "Timeout", "Exit", "Interrupt"]
            .iter()
            .any(|word| class.ends_with(word))
}
