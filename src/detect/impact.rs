//! How much a finding matters, and the technical-debt item it makes.

use std::fmt;
use std::str::FromStr;

use super::Analysed;
use crate::leak::{Confidence, Finding, Pattern, words};
use crate::python::ast::Stmt;
use crate::python::names::ScopeKind;
use crate::python::{Module, Node, Position, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// What leaks once each time it comes to life: a function once per call, a class once per instance, a
/// module once per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Function,
    Class,
    Module,
}

words!(
    Severity,
    Low = "low",
    Medium = "medium",
    High = "high",
    Critical = "critical"
);
words!(Scope, Function = "function", Class = "class", Module = "module");

/// The patterns of what an object keeps.
const OWNED: [Pattern; 3] = [
    Pattern::OwnerWithoutRelease,
    Pattern::IncompleteRelease,
    Pattern::FinalizerCleanup,
];

/// What a leak counts for that happens once in the life of a process.
const ONCE: f64 = 0.5;

/// `score` lies in 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceImpact {
    pub severity: Severity,
    pub scope: Scope,
    pub score: f64,
}

/// A finding as an entry of a debt list.
#[derive(Clone, Debug, PartialEq)]
pub struct DebtItem {
    /// Rule, path and offset: stable while the text is.
    pub id: String,
    pub kind: String,
    pub priority: Severity,
    pub path: String,
    pub position: Position,
    pub message: String,
    pub impact: ResourceImpact,
}

/// From the resource, how sure the finding is (which tells the fate), and whether the code runs once.
pub fn assess(module: &Analysed<'_>, finding: &Finding) -> ResourceImpact {
    let resource = match finding.resource.as_deref() {
        Some(
            "socket" | "db-connection" | "db-pool" | "db-session" | "engine" | "client" | "http-client" | "ssh-client"
            | "mail-client" | "server" | "browser",
        ) => 0.9,
        // Whoever asks next for the lock waits for ever, and a worker is a process of its own.
        Some("lock" | "worker-pool") => 0.95,
        Some(
            "descriptor" | "http-response" | "selector" | "shared-memory" | "stream" | "connection" | "event-loop"
            | "device" | "thread" | "child",
        ) => 0.8,
        Some("task" | "temporary-path") => 0.6,
        Some(_) => 0.7,
        None => of_pattern(finding),
    };
    let certainty = match finding.confidence {
        Confidence::High => 1.0,
        Confidence::Medium => 0.7,
        Confidence::Low => 0.3,
    };
    let reach = scope(module, finding);
    let frequency = if reach == Scope::Module && !grows(finding) && !in_loop(&module.module.body, finding.span) {
        ONCE
    } else {
        1.0
    };
    let score = resource * certainty * frequency;
    let severity = match score {
        score if score >= 0.85 => Severity::Critical,
        score if score >= 0.6 => Severity::High,
        score if score >= 0.4 => Severity::Medium,
        _ => Severity::Low,
    };
    ResourceImpact {
        severity,
        scope: reach,
        score,
    }
}

/// What grows with each call ends in a full memory; what a collector frees in the end only costs until then.
fn of_pattern(finding: &Finding) -> f64 {
    if grows(finding) { 0.7 } else { 0.5 }
}

/// What is made once grows with each call all the same.
fn grows(finding: &Finding) -> bool {
    let growing = [
        Pattern::UnboundedCache,
        Pattern::UnboundedCollection,
        Pattern::RegistrationNeverRemoved,
    ];
    finding.patterns.iter().any(|pattern| growing.contains(pattern))
}

/// The body that acquires, or the class that owns. A class statement in a module runs once like the
/// module, so that its body is the body around it.
fn scope(module: &Analysed<'_>, finding: &Finding) -> Scope {
    if finding.patterns.iter().any(|pattern| OWNED.contains(pattern)) {
        return Scope::Class;
    }
    let names = &module.names;
    let lives = [
        Pattern::AsyncResourceNotClosed,
        Pattern::ChildNotReaped,
        Pattern::DanglingTask,
        Pattern::PoolNotShutDown,
        Pattern::TempLeftBehind,
        Pattern::ThreadNotJoined,
    ];
    let in_constructor = names.qualname_at(finding.span.start).ends_with(".__init__");
    if in_constructor && finding.patterns.iter().any(|pattern| lives.contains(pattern)) {
        return Scope::Class;
    }
    let mut around = names.ancestors(names.scope_at(finding.span.start));
    let runs_per_call = around.any(|scope| matches!(names.scope(scope).kind, ScopeKind::Function | ScopeKind::Lambda));
    if runs_per_call { Scope::Function } else { Scope::Module }
}

/// Whether a loop of the statements runs what stands at `at` again and again.
fn in_loop(body: &[Stmt], at: Span) -> bool {
    let mut around = body.iter().flat_map(|statement| Node::Stmt(statement).descendants());
    around.any(|node| match node {
        Node::Stmt(Stmt::For(node)) => is_in(&node.body, at),
        Node::Stmt(Stmt::AsyncFor(node)) => is_in(&node.body, at),
        Node::Stmt(Stmt::While(node)) => is_in(&node.body, at),
        _ => false,
    })
}

fn is_in(body: &[Stmt], at: Span) -> bool {
    body.iter().any(|statement| Node::Stmt(statement).span().contains(at))
}

pub fn debt_item(module: &Module, finding: &Finding, impact: ResourceImpact) -> DebtItem {
    DebtItem {
        id: format!("{}:{}:{}", finding.rule, module.path, finding.span.start),
        kind: format!("resource-leak/{}", finding.rule),
        priority: impact.severity,
        path: module.path.clone(),
        position: module.lines.position(finding.span.start, module.text()),
        message: finding.message.clone(),
        impact,
    }
}
