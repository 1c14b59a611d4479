"""Mirror the files of a list from HTTP and FTP servers into a folder.

The list has one ``digest  url`` per line (or ``-`` in place of a digest that is not known). Interrupted
downloads are resumed, and finished ones are checked and noted in a ledger.
"""

import bz2
import ftplib
import gzip
import hashlib
import http.client
import io
import json
import logging
import lzma
import os
import posixpath
import shelve
import socket
import tarfile
import time
import urllib.parse
import urllib.request
import zipfile

__all__ = ['Mirror', 'MirrorError', 'read_list']

log = logging.getLogger('mirror')

CHUNK = 1 << 16


class MirrorError(Exception):
    pass


def _etag_beside(path):
    """The validator kept beside a partial download."""
    with io.open(path + '.etag', encoding='latin-1') as note:
        return note.readline()


def _list_bytes(source):
    """A download list from a file, packed or not."""
    if source.endswith('.xz'):
        return _unxz(source)
    if source.endswith('.gz'):
        return _gunzip(source)
    return _raw_list(source).encode('utf-8')


def _unxz(source):
    with lzma.open(source) as packed:
        return packed.read()


def _gunzip(source):
    with gzip.open(source) as packed:
        return packed.read()


def _raw_list(source):
    with open(source, encoding='utf-8') as handle:
        return handle.read()


def _ftp_banner(host, port):
    """The first line of an FTP server, to see whether there is one at all."""
    with socket.create_connection((host, port), timeout=5) as sock:
        return sock.recv(256)


def read_list(source):
    """(digest or None, url) pairs of a list."""
    wanted = []
    with io.StringIO(_list_bytes(source).decode('utf-8')) as lines:
        for line in lines:
            digest, _, url = line.strip().partition('  ')
            if url:
                wanted.append((None if digest == '-' else digest, url))
    return wanted


class _PartFile:
    """A download in progress, ``NAME.part``, which becomes ``NAME`` when it is complete."""

    def __init__(self, path):
        self.path = path
        self._out = open(path + '.part', 'ab')

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._out.close()

    @property
    def size(self):
        return self._out.seek(0, os.SEEK_END)

    def write(self, data):
        self._out.write(data)

    def restart(self):
        self._out.truncate(0)


class MirrorLedger:
    """What has been mirrored, with digest and time."""

    def __init__(self, folder):
        self._shelf = shelve.open(os.path.join(folder, '.ledger'))

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        self.close()

    def close(self):
        self._shelf.close()

    def current(self, url, digest):
        entry = self._shelf.get(url)
        return entry is not None and (digest is None or entry['digest'] == digest)

    def enter(self, url, digest):
        self._shelf[url] = {'digest': digest, 'time': time.time()}


class Mirror:
    """Transfers files into one folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def run(self, source):
        """Fetch what the list names and the ledger has not; the number of new files."""
        fetched = 0
        with MirrorLedger(self.folder) as ledger:
            for digest, url in read_list(source):
                if ledger.current(url, digest):
                    continue
                path = self.fetch(url)
                actual = self.digest(path)
                if digest is not None and actual != digest:
                    os.unlink(path)
                    raise MirrorError('%s: digest is %s' % (url, actual))
                self.inspect(path)
                ledger.enter(url, actual)
                fetched += 1
        return fetched

    def fetch(self, url):
        parts = urllib.parse.urlsplit(url)
        path = os.path.join(self.folder, posixpath.basename(parts.path) or 'index')
        if parts.scheme == 'ftp':
            self._fetch_ftp(parts, path)
        elif parts.scheme == 'http':
            self._fetch_http(parts, path)
        else:
            raise MirrorError('%s: cannot fetch this' % url)
        os.replace(path + '.part', path)
        return path

    def _fetch_http(self, parts, path):
        conn = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
        try:
            with _PartFile(path) as part:
                headers = {}
                if part.size and os.path.exists(path + '.etag'):
                    headers = {'Range': 'bytes=%d-' % part.size, 'If-Range': _etag_beside(path).strip()}
                conn.request('GET', parts.path or '/', headers=headers)
                with conn.getresponse() as reply:
                    if reply.status == 200:
                        part.restart()
                    elif reply.status != 206:
                        raise MirrorError('%s: %d %s' % (parts.geturl(), reply.status, reply.reason))
                    self._note_etag(path, reply.getheader('ETag', ''))
                    while data := reply.read(CHUNK):
                        part.write(data)
        finally:
            conn.close()

    def _fetch_ftp(self, parts, path):
        if not _ftp_banner(parts.hostname, parts.port or 21).startswith(b'220'):
            raise MirrorError('%s is no FTP server' % parts.netloc)
        with ftplib.FTP(timeout=30) as server:
            server.connect(parts.hostname, parts.port or 21)
            server.login()
            with _PartFile(path) as part:
                server.retrbinary('RETR ' + parts.path, part.write, CHUNK, rest=part.size or None)

    def _note_etag(self, path, etag):
        with open(path + '.etag', 'w', encoding='latin-1') as note:
            note.write(etag)

    def digest(self, path):
        sha = hashlib.sha256()
        source = open(path, 'rb')
        try:
            while block := source.read(CHUNK):
                sha.update(block)
        finally:
            source.close()
        return sha.hexdigest()

    def inspect(self, path):
        """Refuse archives that cannot be unpacked."""
        if path.endswith(('.tar.gz', '.tgz')):
            with tarfile.open(path, 'r:gz') as archive:
                for member in archive:
                    if member.name.startswith(('/', '..')):
                        raise MirrorError('%s: member %s leaves the folder' % (path, member.name))
        elif path.endswith('.zip'):
            archive = zipfile.ZipFile(path)
            try:
                broken = archive.testzip()
                if broken:
                    raise MirrorError('%s: member %s is broken' % (path, broken))
            finally:
                archive.close()

    def write_index(self):
        """A packed JSON index of the folder."""
        index = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.endswith(('.part', '.etag')) and entry.is_file():
                    index[entry.name] = entry.stat().st_size
        with bz2.open(os.path.join(self.folder, 'index.json.bz2'), 'wt') as out:
            json.dump(index, out)
