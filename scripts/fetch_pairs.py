"""Brings the files that a list of fix pairs names, through the package index that pip is configured to use.

    python3 scripts/fetch_pairs.py LIST FOLDER [PAIR_ID …]

`leakbench corpus fetch LIST` runs this. Each archive is downloaded once, checked against its SHA-256, and only the named
files are taken out of it, to FOLDER/PAIR_ID/{leak,fixed}/PATH. Nothing is built, installed or imported. Files that
are there already are kept, so that a second call brings what is missing. Exits with 1 if something is.
"""
import base64
import csv
import hashlib
import html.parser
import io
import json
import os
import re
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

AT_ONCE = 4
LISTINGS = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
SIDES = ("leak", "fixed")


class Trouble(Exception):
    """What keeps one archive or file from being fetched."""


def pip_setting(name):
    """What pip itself would use: the environment first, then its configuration files."""
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    asked = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    values = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    for section in ("download", "install", "global"):
        if value := values.get(f"{section}.{name}"):
            return value.strip("'\"")
    return None


def index_urls():
    first = pip_setting("index-url")
    if first is None:
        try:
            from pip._internal.models.index import PyPI
        except ImportError:
            raise Trouble("pip is not installed for this Python; install it or set PIP_INDEX_URL") from None
        first = PyPI.simple_url
    return [first, *(pip_setting("extra-index-url") or "").split()]


class Links(html.parser.HTMLParser):
    """The links of a listing by what they show: the name of a file."""

    def __init__(self):
        super().__init__()
        self.found = {}
        self._target = None

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._target = dict(attrs).get("href")

    def handle_data(self, data):
        if self._target and data.strip():
            self.found[data.strip()] = self._target
            self._target = None


class Index:
    def __init__(self):
        self.urls = index_urls()
        self.context = ssl.create_default_context(cafile=pip_setting("cert"))
        self.timeout = float(pip_setting("default-timeout") or pip_setting("timeout") or 60)

    def get(self, url, accept="*/*"):
        """The final address, the type and the bytes."""
        parts = urllib.parse.urlsplit(url)
        headers = {"Accept": accept, "User-Agent": "leakbench corpus fetch"}
        if parts.username:
            secret = ":".join(urllib.parse.unquote(word or "") for word in (parts.username, parts.password))
            headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
            url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=self.timeout, context=self.context) as answer:
            return answer.url, answer.headers.get_content_type(), answer.read()

    def find(self, package, archive):
        """The address of one file of a package."""
        name = re.sub(r"[-_.]+", "-", package).lower()
        reasons = []
        for base in self.urls:
            try:
                url, kind, body = self.get(f"{base.rstrip('/')}/{name}/", LISTINGS)
            except OSError as error:
                reasons.append(str(error))
                continue
            if kind.endswith("json"):
                found = {entry["filename"]: entry["url"] for entry in json.loads(body)["files"]}
            else:
                links = Links()
                links.feed(body.decode("utf-8", "replace"))
                found = links.found
            if archive in found:
                return urllib.parse.urljoin(url, found[archive])
            reasons.append("the index does not list it")
        raise Trouble(f"{archive}: " + "; ".join(reasons))

    def archive(self, package, archive, sha256):
        try:
            body = self.get(self.find(package, archive))[2]
        except OSError as error:
            raise Trouble(f"{archive}: {error}") from error
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Trouble(f"{archive}: its SHA-256 is not the recorded one; nothing was taken out of it")
        return body


def member(archive, body, path):
    """One file of a wheel, or of a source archive below its top folder."""
    try:
        if archive.endswith((".whl", ".zip")):
            with zipfile.ZipFile(io.BytesIO(body)) as opened:
                names = opened.namelist()
                return opened.read(chosen(names, path))
        with tarfile.open(fileobj=io.BytesIO(body)) as opened:
            names = [entry.name for entry in opened if entry.isfile()]
            with opened.extractfile(chosen(names, path)) as stream:
                return stream.read()
    except KeyError:
        raise Trouble(f"{archive}: has no {path}") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise Trouble(f"{archive}: {error}") from error


def chosen(names, path):
    for name in names:
        if name == path or name.partition("/")[2] == path:
            return name
    raise KeyError(path)


def place(folder, *parts):
    """Where a file goes; a list must not reach out of the folder."""
    below = PurePosixPath(*parts)
    if below.is_absolute() or ".." in below.parts:
        raise Trouble(f"{below}: leads out of the folder")
    return folder / below


def write(target, data):
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def wanted(rows, folder):
    """By archive: what is to be taken out of it, and where that goes."""
    archives = {}
    for row in rows:
        for side in SIDES:
            key = row["package"], row[f"{side}_archive"], row[f"{side}_sha256"]
            path = row[f"{side}_path"]
            target = place(folder, row["pair_id"], side, path)
            if not target.is_file():
                archives.setdefault(key, {})[target] = path
    return archives


def main(arguments):
    source, folder, only = arguments[0], Path(arguments[1]), set(arguments[2:])
    with open(source, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if only:
        rows = [row for row in rows if row["pair_id"] in only]
    archives = wanted(rows, folder)
    if not archives:
        print(f"every file is there: {folder}", file=sys.stderr)
        return 0
    index = Index()

    def fetch(item):
        (package, archive, sha256), files = item
        try:
            body = index.archive(package, archive, sha256)
            for target, path in files.items():
                write(target, member(archive, body, path))
        except Trouble as trouble:
            return str(trouble)
        return None

    failures = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, failure in enumerate(pool.map(fetch, archives.items()), 1):
            if failure:
                failures.append(failure)
            if sys.stderr.isatty():
                end = "\n" if number == len(archives) else ""
                print(f"\r{number} of {len(archives)} archives", end=end, file=sys.stderr)
    brought = len(archives) - len(failures)
    print(f"{brought} of {len(archives)} archives: files in {folder}", file=sys.stderr)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, OSError, KeyError) as trouble:
        sys.exit(f"error: {trouble}")
