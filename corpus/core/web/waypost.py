'''A small router for a web server: routes in groups, hooks, sessions, an access log and an error page.

Handlers are functions of a request and the parts of the path; they give text. Nothing here opens a socket.
'''
import io
import logging
import re
import time
import weakref
from collections import OrderedDict, deque
from functools import cached_property, lru_cache

access = logging.getLogger('waypost.access')

MAX_SESSIONS = 20
LATENCIES = 25


class NotFound(LookupError):
    pass


@lru_cache(maxsize=30)
def split_path(path):
    '''Parts of a path, without empty ones.'''
    parts = []
    for part in path.split('/'):
        if part:
            parts.append(part)
    return tuple(parts)


@lru_cache(maxsize=16)
def rule_pattern(rule: str):
    '''``/users/<name>`` as a regular expression.'''
    return re.compile(re.sub(r'<(\w+)>', r'(?P<\1>[^/]+)', rule) + '$')


class Hooks:
    '''Functions that are called before each request.'''

    def __init__(self):
        self._before = []

    def register(self, hook):
        self._before.append(hook)

    def unregister(self, hook):
        self._before.remove(hook)

    def run(self, request):
        for hook in tuple(self._before):
            hook(request)


HOOKS = Hooks()


def stamp(request):
    request.started = time.monotonic()


class Request:
    def __init__(self, method, path, cookie=''):
        self.method = method
        self.path = path
        self.cookie = cookie
        self.started = 0.0
        self._broken = None

    @cached_property
    def parts(self):
        return split_path(self.path)

    @cached_property
    def wants(self):
        return 'json' if self.path.endswith('.json') else 'html'

    def body_of(self, handler, **values):
        try:
            return handler(self, **values)
        except (KeyError, ValueError) as error:
            self._broken = repr(error)
            return 'something went wrong'

    def status(self):
        return 200 if self._broken is None else 500


class Route:
    def __init__(self, group, rule, handler):
        self._rule = rule
        self._handler = handler
        self._group = weakref.ref(group) if group is not None else None
        self._uses = 0

    def full_rule(self):
        group = self._group() if self._group is not None else None
        return self._rule if group is None else group.prefix() + self._rule

    def match(self, path):
        found = rule_pattern(self.full_rule()).match(path)
        return None if found is None else found.groupdict()

    def answer(self, request, values):
        self._uses += 1
        return request.body_of(self._handler, **values)


class Group:
    '''Routes below one prefix; groups stand in groups.'''

    def __init__(self, at, above=None):
        self._at = at
        self._above = None
        self._routes = []
        self._below = []
        if above is not None:
            above.take_in(self)

    def take_in(self, group):
        group.put_under(self)
        self._below.append(group)

    def put_under(self, above):
        self._above = weakref.ref(above)

    def move_out(self):
        above = self._above() if self._above is not None else None
        if above is not None:
            above._below.remove(self)
        self._above = None

    def prefix(self):
        above = self._above() if self._above is not None else None
        return self._at if above is None else above.prefix() + self._at

    def route(self, rule, handler):
        made = Route(self, rule, handler)
        self._routes.append(made)
        return made

    def find(self, path):
        for route in self._routes:
            values = route.match(path)
            if values is not None:
                return route, values
        for group in self._below:
            try:
                return group.find(path)
            except NotFound:
                continue
        raise NotFound(path)


class Timer:
    def __init__(self, report):
        self._report = report

    def done(self, seconds):
        report = self._report()
        if report is not None:
            report(seconds)


class Patience:
    '''Speaks up when an answer took too long.'''

    def __init__(self, limit, complain):
        self._limit = limit
        self._complain = complain

    def waited(self, seconds):
        if seconds <= self._limit:
            return
        complain = self._complain()
        if complain is not None:
            complain(seconds)


class ErrorPage:
    def __init__(self, site):
        self._site = site

    def text(self, path):
        return '%s: nothing at %s' % (self._site.title, path)


class Sessions:
    def __init__(self, room=MAX_SESSIONS):
        self._room = room
        self._values = OrderedDict()

    def of(self, cookie):
        if cookie not in self._values:
            self._values[cookie] = {}
            if len(self._values) > self._room:
                self._values.popitem(last=False)
        return self._values[cookie]


class Site:
    def __init__(self, title, patience=0.5):
        self.title = title
        self.root = Group('')
        self.sessions = Sessions()
        self._latencies = deque(maxlen=LATENCIES)
        self._missing = deque(maxlen=8)
        self._timer = Timer(weakref.WeakMethod(self._took))
        self._errors = ErrorPage(weakref.proxy(self))
        self._slow = Patience(patience, weakref.WeakMethod(self._note_slow))
        self._slow_count = 0

    def _note_slow(self, seconds):
        self._slow_count += 1
        access.warning('%.1f seconds for one answer', seconds)

    def _took(self, seconds):
        self._latencies.append(seconds)

    def slowest(self):
        return max(self._latencies) if self._latencies else 0.0

    def missing(self):
        return sorted(set(self._missing))

    def handle(self, request):
        HOOKS.run(request)
        try:
            route, values = self.root.find(request.path)
        except NotFound:
            self._missing.append(request.path)
            return 404, self._errors.text(request.path)
        self.sessions.of(request.cookie)['last'] = request.path
        body = route.answer(request, values)
        seconds = time.monotonic() - request.started
        self._timer.done(seconds)
        self._slow.waited(seconds)
        access.info('%s %s %d', request.method, request.path, request.status())
        return request.status(), body

    def index(self, out):
        '''All rules, one a line.'''
        rules = []
        groups = [self.root]
        while groups:
            group = groups.pop()
            rules.extend(route.full_rule() for route in group._routes)
            groups.extend(group._below)
        out.write('\n'.join(sorted(rules)))


class HitCounter:
    '''Counts requests by the first part of their path while it is open.'''

    def __init__(self):
        self._hits = {}
        self._open = True
        HOOKS.register(self)

    def __call__(self, request):
        name = request.parts[0] if request.parts else ''
        self._hits[name] = self._hits.get(name, 0) + 1

    def top(self):
        best = []
        for name, count in self._hits.items():
            best.append((count, name))
        return ' '.join('%s=%d' % (name, count) for count, name in sorted(best, reverse=True)[:3])

    def close(self):
        if self._open:
            HOOKS.unregister(self)
            self._open = False


class AccessLog:
    '''The access log as a file.'''

    def __init__(self, path):
        self._file = logging.FileHandler(path, encoding='utf-8', delay=True)
        self._target = logging.getLogger('waypost.access')
        self._target.addHandler(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._target.removeHandler(self._file)
        self._file.close()


def dry_run(site, requests):
    '''Answers requests and gives what the access log says of them.'''
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    access.addHandler(handler)
    try:
        for request in requests:
            site.handle(request)
    finally:
        access.removeHandler(handler)
    return lines.getvalue()


HOOKS.register(stamp)
access.addHandler(logging.NullHandler())
