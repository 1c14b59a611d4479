"""Which sites of a module a label names, and the ways out of its definition."""

import ast
import re


def is_within(path, definition):
    return path == definition or path.startswith(definition + ".")


def sites_within(subject, definition):
    return frozenset(number for number, site in enumerate(subject.sites) if definition and is_within(site.function, definition))


class Label:
    """Which sites of the module a span in bytes names: those of a call, or none for a header or an expression without one.

    `watched` are the sites whose acquisitions make a failure worth while; none means all.
    """

    def __init__(self, subject, text, start, end):
        begin, finish = _position(text, start), _position(text, end)
        self.line = begin[0]
        self.sites = frozenset(_sites_at(subject.sites, begin, finish))
        self.definition, self.in_body = self._definition(subject)
        self.inside = sites_within(subject, self.definition)
        self.watched = self.inside if self.in_body and not self.sites else self.sites

    def _definition(self, subject):
        """Its path, and whether the label lies in its body."""
        if self.sites:
            return subject.sites[min(self.sites)].function, True
        headers = [each for each in subject.compiled.definitions if each.header_holds(self.line)]
        if headers:
            return headers[-1].path, False
        around = [each for each in subject.compiled.definitions if each.node.lineno <= self.line <= each.node.end_lineno]
        return (around[-1].path, True) if around else ("", False)


def _sites_at(sites, begin, finish):
    """The call that the span is; else the outermost calls inside it."""
    for number, site in enumerate(sites):
        if site.kind.startswith(("call", "await")) and site.span == (begin, finish):
            yield number
            return
    inside = [number for number, site in enumerate(sites) if begin <= site.span[0] and site.span[1] <= finish]
    for number in inside:
        span = sites[number].span
        if not any(_contains(sites[other].span, span) for other in inside if other != number):
            yield number


def _contains(outer, inner):
    return outer != inner and outer[0] <= inner[0] and inner[1] <= outer[1]


def _position(text, offset):
    """(line, column in bytes) of an offset in bytes, as `ast` counts."""
    before = text.encode("utf-8")[:offset]
    lines = re.split(rb"\r\n|\r|\n", before)
    return len(lines), len(lines[-1])


class Exits:
    """Ways out of the label's definition that follow the label: each must be taken while the resource is held."""

    def __init__(self, subject, label):
        self.file = subject.file
        self.lines = set()
        self.taken = set()
        for each in subject.compiled.definitions:
            if each.path == label.definition:
                self.lines = {
                    node.lineno
                    for node in ast.walk(each.node)
                    if isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue)) and node.lineno > label.line
                }

    def tracer(self, holding):
        def trace(frame, event, argument):
            return line if frame.f_code.co_filename == self.file else None

        def line(frame, event, argument):
            if event == "line" and frame.f_lineno in self.lines and frame.f_lineno not in self.taken and holding():
                self.taken.add(frame.f_lineno)
            return line

        return trace

    def left(self):
        return sorted(self.lines - self.taken)
