"""What a scenario gets: a folder, servers, and ways to use owners whose protocol may be taken away."""

import contextlib
import inspect
import os
import socket
import threading


class Unexpected(AssertionError):
    """A block that should have raised did not."""


class Failed(RuntimeError):
    """What `box.fail()` raises."""


_ENDS = ("aclose", "close", "stop", "shutdown")


class Again:
    """Releases a second time what was released, when its descriptors have got new owners."""

    VICTIMS = 4

    def __init__(self):
        self.harmed = []

    @contextlib.contextmanager
    def watch(self):
        victims = [os.open(os.devnull, os.O_RDONLY) for _ in range(self.VICTIMS)]
        try:
            yield
        except Exception:
            pass  # that a second release raises is nobody's harm; what stays open then is looked at in the end
        finally:
            for number in victims:
                try:
                    os.close(number)
                except OSError:
                    self.harmed.append(f"a second release closes descriptor {number}, which belongs to another file by then")


class _Using:
    """Gives the owner and releases it in the end, by whatever release it has; also as `async with`."""

    def __init__(self, owner, again):
        self.owner = owner
        self.again = again

    def _end(self):
        for name in _ENDS:
            method = getattr(self.owner, name, None)
            if callable(method):
                return method()
        for name in ("__exit__", "__aexit__"):
            method = getattr(type(self.owner), name, None)
            if method is not None:
                return method(self.owner, None, None, None)
        return None

    def __enter__(self):
        return self.owner

    def __exit__(self, *_):
        try:
            self._end_now()
        finally:
            if self.again:
                with self.again.watch():
                    self._end_now()

    def _end_now(self):
        result = self._end()
        if inspect.isawaitable(result):
            result.close() if hasattr(result, "close") else None
            raise TypeError("the owner's release must be awaited: use `async with box.using(…)`")

    async def __aenter__(self):
        return self.owner

    async def __aexit__(self, *_):
        try:
            await self._end_in_loop()
        finally:
            if self.again:
                with self.again.watch():
                    await self._end_in_loop()

    async def _end_in_loop(self):
        result = self._end()
        if inspect.isawaitable(result):
            await result


class _Raises:
    def __init__(self, types):
        self.types = types

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            raise Unexpected("no exception, where one of " + ", ".join(each.__name__ for each in self.types) + " was to come")
        return issubclass(kind, self.types)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        return self.__exit__(kind, error, trace)


async def _take_async(items, n):
    taken = []
    try:
        while len(taken) < n:
            try:
                taken.append(await items.__anext__())
            except StopAsyncIteration:
                break
    finally:
        if hasattr(items, "aclose"):
            await items.aclose()
    return taken


class Box:
    def __init__(self, folder, rounds=None, again=None):
        self.folder = folder
        self._again = again
        self._rounds = rounds

    def rounds(self, n):
        """Numbers of rounds, of which n pass every bound: two, unless it is growth that is looked for."""
        return self._rounds(n) if self._rounds else iter(range(2))

    def path(self, *parts):
        return os.path.join(self.folder, *map(os.fspath, parts))

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(content, str):
            content = content.encode("utf-8")
        with open(path, "wb") as out:
            out.write(content)
        return path

    def using(self, owner):
        return _Using(owner, self._again)

    def raises(self, *types):
        return _Raises(types)

    def take(self, items, n=1):
        if hasattr(items, "__anext__"):
            return _take_async(items, n)
        taken = []
        iterator = iter(items)
        try:
            for _ in range(n):
                try:
                    taken.append(next(iterator))
                except StopIteration:
                    break
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        return taken

    def fail(self):
        raise Failed("the body fails")

    @contextlib.contextmanager
    def serve(self, handle):
        server = _Server(handle)
        try:
            yield server.address
        finally:
            server.stop()


class _Server:
    """One thread accepts, one more serves each connection. All end with `stop`."""

    def __init__(self, handle):
        self.handle = handle
        self.connections = []
        self.threads = []
        self.guard = threading.Lock()
        self.stopping = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()[:2]
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.guard:
                if self.stopping:
                    connection.close()
                    return
                self.connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _serve(self, connection):
        try:
            self.handle(connection)
        except Exception:
            pass  # the client has gone: nothing that a scenario is about
        finally:
            connection.close()

    def stop(self):
        with self.guard:
            self.stopping = True
        # A closed listener does not wake `accept`; a shut one does.
        for each in (self.listener, *self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in (self.acceptor, *self.threads):
            thread.join(2.0)
        for each in self.connections:
            each.close()
