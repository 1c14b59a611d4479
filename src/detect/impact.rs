//! How much a finding matters, and the technical-debt item it makes.

use crate::leak::{Confidence, Finding, Pattern};
use crate::python::{Module, Position};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// How far the leak reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Function,
    Class,
    Module,
}

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

/// From the resource, the fate that the pattern names, and how sure the finding is.
pub fn assess(finding: &Finding) -> ResourceImpact {
    let resource = match finding.resource.as_deref() {
        Some("socket" | "db-connection" | "client" | "http-client" | "ssh-client" | "mail-client") => 0.9,
        Some("descriptor" | "http-response" | "selector" | "shared-memory" | "stream") => 0.8,
        Some(_) => 0.7,
        None => 0.5,
    };
    let certainty = match finding.confidence {
        Confidence::High => 1.0,
        Confidence::Medium => 0.7,
        Confidence::Low => 0.3,
    };
    let score = resource * certainty;
    let severity = match score {
        score if score >= 0.85 => Severity::Critical,
        score if score >= 0.6 => Severity::High,
        score if score >= 0.4 => Severity::Medium,
        _ => Severity::Low,
    };
    let reach = match finding.patterns.first() {
        Some(Pattern::OwnerWithoutRelease) => Scope::Class,
        Some(Pattern::HandleReturned) => Scope::Module,
        _ => Scope::Function,
    };
    ResourceImpact {
        severity,
        scope: reach,
        score,
    }
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
