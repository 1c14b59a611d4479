//! Builds a graph: the ways out of `with` and `try`, and which handlers catch what.

use super::build::{Builder, Frontier, Raises};
use super::{EdgeKind, Graph, Kind, StepId, Way};
use crate::python::ast::{Expr, Ranged, Stmt, WithItem};
use crate::python::span::Span;

/// A `finally` inside so many copies of other `finally` bodies is built once for all ways out.
const MAX_COPIES: u32 = 2;

/// Where exceptions go from here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Targets {
    pub(super) ordinary: StepId,
    pub(super) exit: StepId,
}

/// What stands around the current statement and is met on the way out.
pub(super) enum Frame<'a> {
    Loop {
        head: StepId,
        breaks: Frontier,
    },
    Cleanup {
        cleanup: Cleanup<'a>,
        outer: Targets,
        /// Where each way out enters the cleanup, by the number of the way.
        entries: [Option<StepId>; 6],
        span: Span,
    },
}

#[derive(Clone, Copy)]
pub(super) enum Cleanup<'a> {
    Finally(&'a [Stmt]),
    With { item: &'a WithItem, raises: Raises },
}

impl<'a> Builder<'a, '_> {
    pub(super) fn open_finally(&mut self, body: &'a [Stmt], span: Span) {
        self.open_cleanup(Cleanup::Finally(body), span);
    }

    pub(super) fn open_with(&mut self, item: &'a WithItem, raises: Raises) {
        self.open_cleanup(Cleanup::With { item, raises }, item.context_expr.range().into());
    }

    fn open_cleanup(&mut self, cleanup: Cleanup<'a>, span: Span) {
        let outer = self.raise_to;
        let ordinary = self.place(Kind::Join, span);
        let exit = if outer.exit == outer.ordinary {
            ordinary
        } else {
            self.place(Kind::Join, span)
        };
        self.raise_to = Targets { ordinary, exit };
        let mut entries = [None; 6];
        entries[Way::Raise as usize] = Some(ordinary);
        entries[Way::Exit as usize] = Some(exit).filter(|exit| *exit != ordinary);
        self.frames.push(Frame::Cleanup {
            cleanup,
            outer,
            entries,
            span,
        });
    }

    /// Leaves the innermost `with` item or `finally`: builds the cleanup for each way that is taken.
    pub(super) fn close_cleanup(&mut self) {
        let Some(Frame::Cleanup {
            cleanup,
            outer,
            mut entries,
            span,
        }) = self.frames.pop()
        else {
            return;
        };
        self.raise_to = outer;
        if !self.frontier.is_empty() {
            let join = self.add(Kind::Join, span, Raises::Nothing);
            entries[Way::Normal as usize] = Some(join);
        }
        self.frontier.clear();
        let taken = |entry: &Option<StepId>| entry.filter(|join| self.reached[*join as usize]);
        let entries: Vec<_> = (Way::ALL.into_iter().zip(&entries))
            .filter_map(|(way, entry)| taken(entry).map(|join| (way, join)))
            .collect();
        if self.copies >= MAX_COPIES && matches!(cleanup, Cleanup::Finally(_)) {
            self.shared_cleanup(cleanup, &entries, outer, span);
        } else {
            self.cleanup_per_way(cleanup, &entries, outer, span);
        }
    }

    fn cleanup_per_way(&mut self, cleanup: Cleanup<'a>, entries: &[(Way, StepId)], outer: Targets, span: Span) {
        let mut after = Frontier::new();
        for (way, join) in entries {
            self.frontier = vec![(*join, EdgeKind::Normal)];
            self.clean_up(cleanup, *way);
            if cleanup.swallows(self.options.swallows) && *way >= Way::Raise {
                after.extend(self.frontier.iter().copied());
            }
            self.go_on(*way, outer, span, &mut after);
        }
        self.frontier = after;
    }

    fn shared_cleanup(&mut self, cleanup: Cleanup<'a>, entries: &[(Way, StepId)], outer: Targets, span: Span) {
        self.frontier = entries.iter().map(|(_, join)| (*join, EdgeKind::Normal)).collect();
        self.clean_up(cleanup, Way::Normal);
        let ends = std::mem::take(&mut self.frontier);
        let mut after = Frontier::new();
        for (way, _) in entries {
            self.frontier.clone_from(&ends);
            self.go_on(*way, outer, span, &mut after);
        }
        self.frontier = after;
    }

    fn clean_up(&mut self, cleanup: Cleanup<'a>, way: Way) {
        match cleanup {
            Cleanup::Finally(body) => {
                self.copies += 1;
                self.body(body);
                self.copies -= 1;
            }
            Cleanup::With { item, raises } => {
                self.add(Kind::Leave(item, way), item.context_expr.range().into(), raises);
            }
        }
    }

    /// After the cleanup the way out is taken up again.
    fn go_on(&mut self, way: Way, outer: Targets, span: Span, after: &mut Frontier) {
        match way {
            Way::Normal => after.append(&mut self.frontier),
            Way::Raise | Way::Exit if self.frontier.is_empty() => {}
            Way::Raise | Way::Exit => {
                let to = if way == Way::Raise { outer.ordinary } else { outer.exit };
                let join = self.add(Kind::Join, span, Raises::Nothing);
                self.frontier.clear();
                self.edge(join, to, EdgeKind::Exception);
            }
            jump => self.jump(jump),
        }
    }

    /// Takes the current way to the next cleanup or loop outside, or out of the body.
    pub(super) fn jump(&mut self, way: Way) {
        let from = std::mem::take(&mut self.frontier);
        let looping = way != Way::Return;
        for at in (0..self.frames.len()).rev() {
            match &mut self.frames[at] {
                Frame::Loop { breaks, .. } if way == Way::Break => return breaks.extend(from),
                Frame::Loop { head, .. } if looping => {
                    let head = *head;
                    return self.connect(from, head);
                }
                Frame::Loop { .. } => {}
                Frame::Cleanup { entries, span, .. } => {
                    let (entry, span) = (entries[way as usize], *span);
                    let join = entry.unwrap_or_else(|| self.place(Kind::Join, span));
                    if let Frame::Cleanup { entries, .. } = &mut self.frames[at] {
                        entries[way as usize] = Some(join);
                    }
                    return self.connect(from, join);
                }
            }
        }
        self.connect(from, if looping { Graph::JUMPED } else { Graph::RETURNED });
    }
}

impl Cleanup<'_> {
    fn swallows(self, swallows: &dyn Fn(&Expr) -> bool) -> bool {
        matches!(self, Self::With { item, .. } if swallows(&item.context_expr))
    }
}

/// What a handler catches. Every handler may catch some ordinary exceptions.
#[derive(Clone, Copy)]
pub(super) struct Caught {
    pub(super) all_ordinary: bool,
    pub(super) exit: bool,
    pub(super) all_exit: bool,
}

/// Judged by the last part of the name: `except asyncio.CancelledError` as `except CancelledError`.
pub(super) fn caught(type_: Option<&Expr>) -> Caught {
    let name = match type_ {
        None => "BaseException",
        Some(Expr::Name(node)) => node.id.as_str(),
        Some(Expr::Attribute(node)) => node.attr.as_str(),
        Some(Expr::Tuple(node)) => return caught_by_any(&node.elts),
        Some(_) => "",
    };
    let all_exit = name == "BaseException";
    Caught {
        all_ordinary: all_exit || name == "Exception",
        exit: all_exit || matches!(name, "GeneratorExit" | "CancelledError"),
        all_exit,
    }
}

fn caught_by_any(types: &[Expr]) -> Caught {
    let each = || types.iter().map(|type_| caught(Some(type_)));
    Caught {
        all_ordinary: each().any(|one| one.all_ordinary),
        exit: each().any(|one| one.exit),
        all_exit: each().any(|one| one.all_exit),
    }
}
