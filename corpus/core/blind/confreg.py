"""Settings of a running program: layered scopes, watchers, and a journal of what was changed.

    registry = SettingRegistry.open("/var/lib/app/settings")
    web = registry.scope("web")
    with web.watch("port", restart):
        web.set("port", 8081)
    registry.close()

A scope falls back on its parent.  Every change is appended to ``journal`` before it shows; ``snapshot.json`` replaces
the journal from time to time.  All methods may be called from any thread.
"""

import json
import os
import tempfile
import threading
import weakref
from collections import deque, namedtuple
from contextlib import ExitStack, suppress

JOURNAL_LIMIT = 200
RECENT = 50
MOST_SCOPES = 500
_MISSING = object()


class ConfigError(Exception):
    """The base of what is raised here."""


class Locked(ConfigError):
    """Some other process has the folder."""


class CorruptJournal(ConfigError):
    pass


class Closed(ConfigError):
    pass


Change = namedtuple("Change", "path old new")


class SettingWatch:
    """A registered callback; it is called until `close`."""

    def __init__(self, scope, key, callback):
        self.key = key
        self.callback = callback
        self._scope = weakref.ref(scope)

    def close(self):
        scope = self._scope()
        if scope is not None:
            scope._forget(self)
        self.callback = None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


class SettingScope:
    """A named layer.  The registry owns the scopes; they know it, and their parent, weakly."""

    def __init__(self, registry, name, parent=None):
        self.name = name
        self._registry = weakref.ref(registry)
        self._lock = registry._lock
        self._parent = weakref.ref(parent) if parent is not None else None
        self._values = {}
        self._watches = []

    def _owner(self):
        registry = self._registry()
        if registry is None:
            raise Closed(self.name)
        return registry

    def get(self, key, default=None):
        self._owner()
        with self._lock:
            if key in self._values:
                return self._values[key]
        parent = self._parent() if self._parent is not None else None
        return default if parent is None else parent.get(key, default)

    def set(self, key, value):
        self._owner()._change(self, key, value)

    def unset(self, key):
        self._owner()._change(self, key, _MISSING)

    def watch(self, key, callback):
        """Call ``callback(change)`` for changes of `key`, or of everything if it is None."""
        self._owner()
        watch = SettingWatch(self, key, callback)
        with self._lock:
            self._watches.append(watch)
        return watch

    def _forget(self, watch):
        with self._lock, suppress(ValueError):  # closed before
            self._watches.remove(watch)

    def _interested(self, key):
        return [each.callback for each in self._watches if each.key in (None, key)]


def _replace_json(path, content):
    """Write beside the file, then put it in its place."""
    fd, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".snapshot-")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            json.dump(content, out, indent=1, sort_keys=True)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


class SettingRegistry:
    """All scopes, and the files behind them."""

    def __init__(self, folder, journal_limit=JOURNAL_LIMIT):
        self.folder = folder
        self.journal_limit = journal_limit
        self.recent = deque(maxlen=RECENT)
        self._lock = threading.RLock()
        self._root = SettingScope(self, "")
        self._scopes = {"": self._root}
        self._files = ExitStack()
        self._journal = None
        self._entries = 0

    @classmethod
    def open(cls, folder, journal_limit=JOURNAL_LIMIT):
        os.makedirs(folder, exist_ok=True)
        registry = cls(folder, journal_limit)
        with ExitStack() as stack:
            stack.callback(registry.close)
            registry._attach()
            stack.pop_all()
        return registry

    def _attach(self):
        lock_path = os.path.join(self.folder, "lock")
        try:
            fd = os.open(lock_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            raise Locked(lock_path) from None
        self._files.callback(os.unlink, lock_path)
        self._files.callback(os.close, fd)
        os.write(fd, b"%d\n" % os.getpid())
        self._load()
        self._journal = open(os.path.join(self.folder, "journal"), "a", encoding="utf-8")

    def close(self):
        with self._lock:
            journal, self._journal = self._journal, None
            files, self._files = self._files, ExitStack()
            for scope in self._scopes.values():
                scope._watches.clear()
            try:
                if journal is not None:
                    journal.close()
            finally:
                files.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def scope(self, name):
        """The scope of a dotted name; parents are made as needed."""
        with self._lock:
            found = self._scopes.get(name)
            if found is None:
                if len(self._scopes) >= MOST_SCOPES:
                    raise ConfigError(f"too many scopes: {name}")
                parent = self.scope(name.rpartition(".")[0])
                found = self._scopes[name] = SettingScope(self, name, parent)
            return found

    def _load(self):
        snapshot = os.path.join(self.folder, "snapshot.json")
        if os.path.exists(snapshot):
            with open(snapshot, encoding="utf-8") as source:
                for name, values in json.load(source).items():
                    self.scope(name)._values.update(values)
        path = os.path.join(self.folder, "journal")
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    name, key, *value = json.loads(line)
                except ValueError:
                    raise CorruptJournal(f"{path}:{number}") from None
                self._apply(self.scope(name), key, value[0] if value else _MISSING)
                self._entries += 1

    @staticmethod
    def _apply(scope, key, value):
        old = scope._values.pop(key, None)
        if value is not _MISSING:
            scope._values[key] = value
        return old

    def _change(self, scope, key, value):
        with self._lock:
            if self._journal is None:
                raise Closed(self.folder)
            entry = [scope.name, key] if value is _MISSING else [scope.name, key, value]
            self._journal.write(json.dumps(entry) + "\n")
            self._journal.flush()
            self._entries += 1
            old = self._apply(scope, key, value)
            change = Change(f"{scope.name}.{key}".lstrip("."), old, None if value is _MISSING else value)
            self.recent.append(change)
            callbacks = scope._interested(key)
            if self._entries >= self.journal_limit:
                self._compact()
        for callback in callbacks:
            callback(change)

    def _compact(self):
        content = {name: scope._values for name, scope in self._scopes.items() if scope._values}
        _replace_json(os.path.join(self.folder, "snapshot.json"), content)
        self._journal.truncate(0)
        self._entries = 0
