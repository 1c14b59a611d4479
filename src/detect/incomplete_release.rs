//! The method that ends an object's life releases other things and forgets this one, or `__exit__` does not do
//! what `close` does.

use super::obligation::{Obligation, Release};
use super::report::{acquisition, finding, participle};
use super::{Analysed, Info, PythonResourceDetector, primary, text_at};
use crate::leak::{Confidence, Finding, Pattern};
use crate::python::Node;
use crate::python::ast::{Expr, Ranged, Stmt};
use crate::python::names::ScopeKind;

pub(super) struct IncompleteRelease;

impl PythonResourceDetector for IncompleteRelease {
    fn info(&self) -> Info {
        Info {
            pattern: Pattern::IncompleteRelease,
            page: include_str!("pages/incomplete-release.md"),
        }
    }

    fn detect_issues(&self, module: &Analysed<'_>) -> Vec<Finding> {
        let all = primary::all(module, Pattern::IncompleteRelease);
        let forgotten = all.filter_map(|obligation| forgotten(module, obligation));
        let statements = module.nodes().filter_map(Node::as_stmt);
        forgotten
            .chain(statements.filter_map(|statement| first_only(module, statement)))
            .collect()
    }
}

/// `sockets = bind_sockets(port)`, and then nothing but `sockets[0].close()`.
fn first_only(module: &Analysed<'_>, statement: &Stmt) -> Option<Finding> {
    let Stmt::Assign(assign) = statement else { return None };
    let ([Expr::Name(name)], Expr::Call(call)) = (assign.targets.as_slice(), &*assign.value) else {
        return None;
    };
    if !name.id.ends_with('s') {
        return None;
    }
    let (index, scope) = (module.index(), module.names.scope_at(name.start().to_u32()));
    let home = module.names.home(&name.id, scope);
    let is_local = module.names.scope(home).kind == ScopeKind::Function;
    let loads = index.names(home, &name.id).iter();
    let items: Option<Vec<_>> = loads
        .filter(|mention| !std::ptr::eq(**mention, &raw const assign.targets[0]))
        .map(|mention| closed_item(module, mention))
        .collect();
    let items = items.filter(|items| is_local && !items.is_empty())?;
    let is_one = items.iter().all(|item| *item == items[0]);
    let (callee, item) = (text_at(module.module.text(), call.func.range().into()), items[0]);
    is_one.then(|| Finding {
        span: call.range().into(),
        rule: Pattern::IncompleteRelease.id().to_owned(),
        patterns: vec![Pattern::IncompleteRelease],
        resource: None,
        confidence: Confidence::Medium,
        message: format!("of what `{callee}(...)` gives, only `{}[{item}]` is closed", name.id),
        suggestion: format!("close each one of `{}`", name.id),
        related: Vec::new(),
    })
}

/// `0` of `sockets[0].close()`
fn closed_item<'m>(module: &Analysed<'m>, mention: &Expr) -> Option<&'m str> {
    let index = module.index();
    let Some(Node::Expr(item @ Expr::Subscript(node))) = index.parent(mention) else {
        return None;
    };
    let Some(Node::Expr(method @ Expr::Attribute(close))) = index.parent(item) else {
        return None;
    };
    let is_called = matches!(index.parent(method), Some(Node::Expr(Expr::Call(_))));
    let at = text_at(module.module.text(), node.slice.range().into());
    let is_number = at.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    (is_called && close.attr.as_str() == "close" && is_number).then_some(at)
}

fn forgotten<'m>(module: &Analysed<'m>, obligation: &Obligation<'m>) -> Option<Finding> {
    let attribute = obligation.kept_in_self()?;
    let owned = module.owned(obligation)?;
    let method = owned.forgotten_by.as_deref()?;
    let confidence = match owned.release {
        Release::Nowhere if attribute.starts_with('_') && obligation.on_self().is_some() => Confidence::High,
        // Other modules can reach it, or call what releases it.
        Release::Nowhere | Release::Somewhere => Confidence::Medium,
        Release::Maybe | Release::OnlyFinalizer => Confidence::Low,
    };
    let message = format!(
        "{} is kept as `self.{attribute}`, and `{method}` does not get it {}",
        acquisition(obligation),
        participle(obligation)
    );
    let mut finding = finding(Pattern::IncompleteRelease, obligation, confidence, message);
    finding.suggestion = format!("release `self.{attribute}` in `{method}`, too");
    Some(finding)
}
