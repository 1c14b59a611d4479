"""A stand-in for httpx: clients, for both kinds of programs, that answer from a table.

``answers`` maps a piece of an address to (status, body), or to the exception that the request raises; what no
piece fits is not found. A client is held until ``close()`` or ``aclose()``; a streamed response until its ``with`` ends.
"""

import contextlib as _contextlib
import json as _json

answers: dict = {}


class HTTPError(Exception):
    """As in the real library, the base of all errors."""


class RequestError(HTTPError):
    pass


class ConnectError(RequestError):
    pass


class HTTPStatusError(HTTPError):
    pass


class Response:
    def __init__(self, url, status_code, content, held=False):
        self.url = url
        self.status_code = status_code
        self.headers = {"content-length": str(len(content))}
        self.held = held
        self.content = content

    def close(self):
        self.held = False

    async def aclose(self):
        self.held = False

    @property
    def is_success(self):
        return 200 <= self.status_code < 300

    @property
    def text(self):
        return self.content.decode("utf-8")

    def json(self):
        return _json.loads(self.content)

    def read(self):
        return self.content

    async def aread(self):
        return self.content

    def iter_bytes(self, chunk_size=65536):
        for start in range(0, len(self.content), chunk_size):
            yield self.content[start : start + chunk_size]

    def iter_lines(self):
        yield from self.content.decode("utf-8").splitlines()

    async def aiter_bytes(self, chunk_size=65536):
        for part in self.iter_bytes(chunk_size):
            yield part

    async def aiter_lines(self):
        for line in self.iter_lines():
            yield line

    def raise_for_status(self):
        if not self.is_success:
            raise HTTPStatusError(f"{self.status_code} for {self.url}")
        return self


class _Base:
    def __init__(self, *, base_url="", headers=None, timeout=None, follow_redirects=False):
        self.base_url = base_url
        self.headers = dict(headers or {})
        self.held = True

    @property
    def is_closed(self):
        return not self.held

    def _answer(self, url, held=False):
        if not self.held:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        url = self.base_url + url
        found = next((answer for piece, answer in answers.items() if piece in url), (404, b""))
        if isinstance(found, Exception):
            raise type(found)(*found.args)  # a new one: an exception keeps the frames it came through
        return Response(url, *found, held)


class Client(_Base):
    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.held = False

    def request(self, method, url, *, params=None, content=None, json=None, headers=None):
        return self._answer(url)

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)

    @_contextlib.contextmanager
    def stream(self, method, url, *, params=None, content=None, headers=None):
        response = self._answer(url, held=True)
        try:
            yield response
        finally:
            response.close()


class AsyncClient(_Base):
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        await self.aclose()

    async def aclose(self):
        self.held = False

    async def request(self, method, url, *, params=None, content=None, json=None, headers=None):
        return self._answer(url)

    async def get(self, url, **options):
        return await self.request("GET", url, **options)

    async def post(self, url, **options):
        return await self.request("POST", url, **options)

    @_contextlib.asynccontextmanager
    async def stream(self, method, url, *, params=None, content=None, headers=None):
        response = self._answer(url, held=True)
        try:
            yield response
        finally:
            await response.aclose()


def get(url, **options):
    with Client() as client:
        return client.get(url, **options)
