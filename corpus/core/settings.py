"""Layered settings: defaults, system file, user file, drop-in folder, environment.

Files are INI, JSON or plain ``KEY=value`` lines. Values may refer to a secret, ``@secret:name``, which is
taken from the keyring file at the time of use, never at load time.
"""

from __future__ import annotations

import codecs
import configparser
import contextlib
import dbm
import gzip
import io
import json
import logging
import os
import tempfile
import urllib.error
import urllib.request
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

Layer = dict[str, str]


class SettingsError(Exception):
    """A settings file cannot be understood."""


class SettingsWarning(UserWarning):
    """A setting is accepted, but better written otherwise."""


def _slurp_settings(path: str | os.PathLike[str]) -> str:
    """The text of a settings file, with or without a byte order mark."""
    with codecs.open(os.fspath(path), "r", "utf-8-sig") as stream:
        return stream.read()


def _bundled_defaults(archive: Path) -> bytes:
    """The packed defaults that come with a release."""
    if archive.suffix != ".gz":
        raise SettingsError(f"{archive}: defaults must be gzip files")
    with gzip.open(archive, "rb") as packed:
        return packed.read()


def _remote_text(url: str, timeout: float) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": "text/plain, application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        return reply.read()


def fingerprint(paths: list[Path]) -> int:
    """A number that changes with the content of any of the files; services watch it to know when to reload."""
    total = 0
    for path in paths:
        with open(path, "rb") as source:
            total = zlib.crc32(source.read(), total)
    return total


def line_of(path: Path, key: str) -> int | None:
    """Where a key is set in an environment file, for messages."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.partition("=")[0].strip() == key:
                return number
    return None


@contextlib.contextmanager
def _collected(title: str) -> Iterator[list[str]]:
    """A list of complaints; if there are any at the end of the block, they are raised as one."""
    complaints: list[str] = []
    yield complaints
    if complaints:
        raise SettingsError(f"{title}: " + "; ".join(complaints))


class _Keyring:
    """The file with the secrets, a dbm file that only its owner may read."""

    def __init__(self, path: Path, writable: bool = False) -> None:
        self.writable = writable
        self._table = dbm.open(os.fspath(path), "c" if writable else "r", 0o600)

    def __enter__(self) -> _Keyring:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._table.close()

    def secret(self, name: str) -> str:
        try:
            return self._table[name.encode("utf-8")].decode("utf-8")
        except KeyError:
            raise SettingsError(f"no secret named {name!r}") from None

    def store(self, name: str, value: str) -> None:
        if not self.writable:
            raise SettingsError("keyring is open for reading only")
        self._table[name.encode("utf-8")] = value.encode("utf-8")


class _DropInArchive:
    """A zip file of drop-ins, as some packages ship them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> _DropInArchive:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        return sorted(name for name in self._zip.namelist() if name.endswith(".conf"))

    def text(self, name: str) -> str:
        return self._zip.read(name).decode("utf-8")


def parse_ini(text: str) -> Layer:
    """Flatten ``[section] key`` to ``section.key``."""
    parser = configparser.ConfigParser(interpolation=None)
    with io.StringIO(text) as source:
        parser.read_file(source)
    return {f"{section}.{key}": value for section in parser.sections() for key, value in parser[section].items()}


def parse_json(text: str) -> Layer:
    flat: Layer = {}
    pending: list[tuple[str, Any]] = [("", json.loads(text))]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend((f"{prefix}.{key}" if prefix else key, item) for key, item in value.items())
        else:
            flat[prefix] = str(value)
    return flat


class Settings:
    """What all layers say, the later ones over the earlier ones."""

    parsers: dict[str, Callable[[str], Layer]] = {".ini": parse_ini, ".conf": parse_ini, ".json": parse_json}

    def __init__(self, keyring: Path | None = None) -> None:
        self.keyring = keyring
        self.layers: list[tuple[str, Layer]] = []

    def load_defaults(self, archive: Path) -> None:
        self.layers.append(("defaults", parse_json(_bundled_defaults(archive).decode("utf-8"))))

    def load_file(self, path: Path, required: bool = False) -> None:
        if not path.exists() and not required:
            return
        parser = self.parsers.get(path.suffix)
        if parser is None:
            self.load_environment_file(path)
        else:
            self.layers.append((str(path), parser(_slurp_settings(path))))

    def load_remote(self, url: str) -> None:
        try:
            text = _remote_text(url, timeout=10)
        except urllib.error.HTTPError as error:
            error.close()
            raise SettingsError(f"{url}: {error.code} {error.reason}") from None
        self.layers.append((url, parse_json(text.decode("utf-8"))))

    def load_environment_file(self, path: Path) -> None:
        """``KEY=value`` lines, as service managers read them."""
        layer: Layer = {}
        with path.open(encoding="utf-8") as lines, _collected(str(path)) as complaints:
            for number, line in enumerate(lines, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                key, separator, value = line.partition("=")
                if not separator:
                    complaints.append(f"line {number} has no value")
                layer[key.strip().lower().replace("__", ".")] = value.strip().strip('"')
        self.layers.append((str(path), layer))

    def load_folder(self, folder: Path) -> int:
        """Every drop-in of a folder, by name; zip files count as folders."""
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file() and not entry.name.startswith("."):
                    names.append(entry.name)
        for name in sorted(names):
            if not name.endswith(".zip"):
                self.load_file(folder / name)
                continue
            with _DropInArchive(folder / name) as archive:
                for member in archive.names():
                    self.layers.append((f"{archive.path}/{member}", parse_ini(archive.text(member))))
        return len(names)

    def get(self, key: str, default: str | None = None) -> str | None:
        for _, layer in reversed(self.layers):
            if key in layer:
                return self._resolved(layer[key])
        return default

    def _resolved(self, value: str) -> str:
        if not value.startswith("@secret:") or self.keyring is None:
            return value
        with _Keyring(self.keyring) as keyring:
            value = keyring.secret(value.partition(":")[2])
        return value

    def check(self, known: set[str]) -> list[str]:
        """Messages about settings that nobody reads."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SettingsWarning)
            for origin, layer in self.layers:
                for key in sorted(layer.keys() - known):
                    warnings.warn(f"{origin}: {key} is unknown", SettingsWarning, stacklevel=1)
            messages = [str(warning.message) for warning in caught]
        return messages

    def save(self, path: Path) -> None:
        """Write the effective settings, without resolving secrets."""
        effective: Layer = {}
        for _, layer in self.layers:
            effective.update(layer)
        fd, draft = tempfile.mkstemp(dir=path.parent, prefix=".settings-")
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as out:
                json.dump(effective, out, indent=2, sort_keys=True)
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise

    def export_environment(self, path: Path) -> None:
        """Write ``KEY=value`` lines for a service manager; secrets are resolved, so half a file must not stay."""
        out = open(path, "x", encoding="utf-8")
        complete = False
        try:
            for key in sorted({key for _, layer in self.layers for key in layer}):
                out.write(f"{key.upper().replace('.', '__')}={self.get(key)}\n")
            complete = True
        finally:
            if complete:
                out.close()
                path.chmod(0o400)
            else:
                out.close()
                path.unlink()

    def copy_secrets(self, names: list[str], target: Path) -> None:
        """Put some secrets into another keyring."""
        with contextlib.ExitStack() as stack:
            mine = stack.enter_context(dbm.open(os.fspath(self.keyring), "r"))
            theirs = stack.enter_context(dbm.open(os.fspath(target), "c", 0o600))
            for name in names:
                theirs[name.encode("utf-8")] = mine[name.encode("utf-8")]
