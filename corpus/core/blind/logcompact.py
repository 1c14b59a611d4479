# -*- coding: utf-8 -*-
"""
logcompact -- rotate, compress and merge the log files of a directory.

    app.log            is being written to
    app.log.1          most recent rotated file, still plain text
    app.log.2.gz ...   older generations
    app.log.archive.gz what fell off the end, if archiving is on

Only one process may work on a directory at a time, see DirectoryLock.
"""

import errno
import fcntl
import gzip
import logging
import mmap
import optparse
import os
import re
import shutil
import sys
import tempfile
import zlib

LOG = logging.getLogger('logcompact')

KEEP = 7
CHUNK = 256 * 1024
LOCK_NAME = '.logcompact.lock'
GENERATION = re.compile(r'^(?P<base>.+\.log)\.(?P<num>\d+)(?P<gz>\.gz)?$')


class LockedError(Exception):
    pass


class DirectoryLock(object):
    """Advisory lock on a directory; holds our pid while taken."""

    def __init__(self, directory):
        self.path = os.path.join(directory, LOCK_NAME)
        self._handle = None

    def acquire(self):
        handle = open(self.path, 'a+')
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            handle.seek(0)
            handle.truncate()
            handle.write('%d\n' % os.getpid())
            handle.flush()
        except BaseException as exc:
            handle.close()
            if getattr(exc, 'errno', None) in (errno.EAGAIN, errno.EACCES):
                raise LockedError('%s is taken' % self.path)
            raise
        self._handle = handle

    def release(self):
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()      # closing drops the flock, too

    close = release

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exc_info):
        self.release()


class Rotator(object):
    """Everything we do to one directory."""

    def __init__(self, directory, keep=KEEP, min_size=1, archive=False):
        self.directory = directory
        self.keep = keep
        self.min_size = min_size
        self.archive = archive

    def run(self):
        done = 0
        with DirectoryLock(self.directory):
            for name in self._live_logs():
                try:
                    self.rotate(os.path.join(self.directory, name))
                    done += 1
                except (IOError, OSError) as exc:
                    # one unreadable log must not stop the others
                    LOG.error('%s: %s', name, exc)
        return done

    def _live_logs(self):
        names = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if not entry.name.endswith('.log') or not entry.is_file():
                    continue
                if entry.stat().st_size < self.min_size:
                    LOG.debug('%s is too small, skipped', entry.name)
                    continue
                names.append(entry.name)
        return sorted(names)

    def _generations(self, base):
        """[(number, path)] of the rotated files of ``base``, oldest first."""
        found = []
        entries = os.scandir(self.directory)
        try:
            for entry in entries:
                match = GENERATION.match(entry.name)
                if match and match.group('base') == base:
                    found.append((int(match.group('num')), entry.path))
        finally:
            entries.close()
        return sorted(found, reverse=True)

    def rotate(self, path):
        for number, old in self._generations(os.path.basename(path)):
            if number >= self.keep and not self.archive:
                os.unlink(old)
                continue
            if not old.endswith('.gz'):
                old = self.compress(old)
            if number >= self.keep:
                self._append_to_archive(path, old)
                os.unlink(old)
            else:
                os.rename(old, '%s.%d.gz' % (path, number + 1))
        self._copy_truncate(path, path + '.1')
        LOG.info('rotated %s', path)

    def _copy_truncate(self, path, target):
        # The daemon keeps its descriptor, hence no rename here.
        with open(path, 'r+b') as live, open(target, 'wb') as copy:
            shutil.copyfileobj(live, copy, CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
            live.truncate(0)

    def compress(self, path):
        """Replace ``path`` by ``path``.gz, which appears in one step."""
        fd, partial = tempfile.mkstemp('.part', dir=self.directory)
        try:
            with os.fdopen(fd, 'wb') as raw:
                with gzip.GzipFile(os.path.basename(path), 'wb', 9, raw) as packed, \
                        open(path, 'rb') as plain:
                    while True:
                        chunk = plain.read(CHUNK)
                        if not chunk:
                            break
                        packed.write(chunk)
            shutil.copystat(path, partial)
            os.rename(partial, path + '.gz')
        except BaseException:
            os.unlink(partial)
            raise
        os.unlink(path)
        return path + '.gz'

    def _append_to_archive(self, base, old):
        # gzip members may simply be concatenated
        archive = gzip.open(base + '.archive.gz', 'ab')
        try:
            with gzip.open(old, 'rb') as source:
                for line in source:
                    archive.write(line)
        finally:
            archive.close()

    def verify(self):
        """Names of the compressed files which cannot be read back."""
        broken = []
        for name in sorted(os.listdir(self.directory)):
            if not name.endswith('.gz'):
                continue
            try:
                with gzip.open(os.path.join(self.directory, name)) as packed:
                    while packed.read(CHUNK):
                        pass
            except (IOError, EOFError, zlib.error) as exc:
                LOG.warning('%s: %s', name, exc)
                broken.append(name)
        return broken


def last_line(path):
    """Last complete line of a plain log without reading all of it."""
    with open(path, 'rb') as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            return None         # mmap refuses empty files
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            end = view.rfind(b'\n')
            if end < 0:
                return None
            start = view.rfind(b'\n', 0, end) + 1
            return view[start:end].decode('utf-8', 'replace')


def main(argv=None):
    parser = optparse.OptionParser('%prog [options] DIRECTORY...')
    parser.add_option('-k', '--keep', type='int', default=KEEP)
    parser.add_option('-a', '--archive', action='store_true', default=False)
    parser.add_option('--verify', action='store_true', default=False)
    options, directories = parser.parse_args(argv)
    if not directories:
        parser.error('no directory given')
    logging.basicConfig(format='%(name)s: %(message)s')
    status = 0
    for directory in directories:
        rotator = Rotator(directory, options.keep, archive=options.archive)
        try:
            if options.verify:
                status |= bool(rotator.verify())
            else:
                print('%s: %d rotated' % (directory, rotator.run()))
        except (LockedError, OSError) as exc:
            LOG.error('%s', exc)
            status = 1
    return int(status)


if __name__ == '__main__':
    sys.exit(main())
