"""A stand-in for redis-py: clients that share one table of values in memory.

``Redis`` is released by ``close()`` or a ``with``; so are its pipelines (``reset()``) and subscriptions.
"""

_values: dict = {}


class RedisError(Exception):
    """As in the real library, the base of all errors."""


class ConnectionError(RedisError):  # the real name
    pass


class Pipeline:
    """Commands that are sent together."""

    def __init__(self, client):
        self._client = client
        self._commands = []
        self.held = True

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.reset()

    def reset(self):
        self._commands.clear()
        self.held = False

    def set(self, name, value):
        self._commands.append((self._client.set, name, value))
        return self

    def delete(self, name):
        self._commands.append((self._client.delete, name))
        return self

    def execute(self):
        results = [command(*args) for command, *args in self._commands]
        self._commands.clear()
        return results


class PubSub:
    """A subscription. Every channel begins with one message."""

    def __init__(self):
        self._waiting = []
        self.held = True

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.held = False

    def subscribe(self, *channels):
        self._waiting += [{"type": "message", "channel": name, "data": b"hello"} for name in channels]

    def get_message(self, timeout=0.0):
        return self._waiting.pop(0) if self._waiting else None


class Redis:
    def __init__(self, host="localhost", port=6379, db=0):
        self._db = (host, port, db)
        self.held = True

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.held = False

    def ping(self):
        if self._db[0] == "down":
            raise ConnectionError("connection refused")
        return True

    def get(self, name):
        return _values.get(self._db, {}).get(name)

    def set(self, name, value, nx=False, ex=None):
        table = _values.setdefault(self._db, {})
        if nx and name in table:
            return None
        table[name] = value if isinstance(value, bytes) else str(value).encode("utf-8")
        return True

    def delete(self, *names):
        table = _values.setdefault(self._db, {})
        return sum(table.pop(name, None) is not None for name in names)

    def scan_iter(self, match=""):
        prefix = match.rstrip("*")
        return iter(sorted(name for name in _values.get(self._db, {}) if name.startswith(prefix)))

    def flushdb(self):
        _values.pop(self._db, None)

    def pipeline(self):
        return Pipeline(self)

    def pubsub(self):
        return PubSub()
