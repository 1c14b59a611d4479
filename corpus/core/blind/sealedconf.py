'''Settings and secrets of a small installation, in one folder.

    settings.json   what everybody may read
    secrets.json    mode 0600, values masked with the key in ``key``
    .lock           held while somebody writes
    trail.log       who has changed what

Writers take the lock, write a sibling file and move it over the old one.
'''

import base64
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import tempfile
import time

KEY_BYTES = 32
TRAIL_LIMIT = 64 * 1024


class ConfError(Exception):
    pass


class Busy(ConfError):
    """Somebody else is writing."""


class Tampered(ConfError):
    pass


class StoreLock(object):
    """Advisory lock with the holder's pid in it; tells who holds it when it is taken."""

    def __init__(self, folder, wait=0.0):
        self.path = os.path.join(folder, '.lock')
        self.wait = wait
        self._fd = None

    def acquire(self):
        deadline = time.monotonic() + self.wait
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        holder = os.read(fd, 32).decode('ascii', 'replace').strip()
                        raise Busy('%s is held by process %s' % (self.path, holder or '?'))
                time.sleep(0.002)
            os.ftruncate(fd, 0)
            os.pwrite(fd, b'%d\n' % os.getpid(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)  # and the lock goes with it

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exc_info):
        self.release()


def _replace_file(path, payload, mode):
    """Write ``payload`` so that a crash leaves the old file or the new one."""
    folder = os.path.dirname(path)
    fd, draft = tempfile.mkstemp(prefix='.new-', dir=folder)
    try:
        try:
            os.fchmod(fd, mode)
            view = memoryview(payload)
            while view:
                view = view[os.write(fd, view):]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class SealedConf(object):
    """Open it, read and write, close it; the trail stays open in between."""

    def __init__(self, folder, wait=0.0):
        self.folder = folder
        self.wait = wait
        os.makedirs(folder, exist_ok=True)
        self._trail = self._open_trail()
        try:
            self._key = self._load_key()
        except BaseException:
            self._trail.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._trail.close()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _open_trail(self):
        return open(self._path('trail.log'), 'a', encoding='utf-8', buffering=1)

    def _load_key(self):
        path = self._path('key')
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            key = os.urandom(KEY_BYTES)
            with StoreLock(self.folder, self.wait):
                _replace_file(path, key, 0o600)
            return key
        try:
            if os.fstat(fd).st_mode & 0o077:
                raise ConfError('%s is readable by others' % path)
            key = os.read(fd, KEY_BYTES + 1)
        finally:
            os.close(fd)
        if len(key) != KEY_BYTES:
            raise ConfError('%s has the wrong size' % path)
        return key

    def _load(self, name):
        try:
            handle = open(self._path(name), encoding='utf-8')
        except FileNotFoundError:
            return {}
        with handle:
            try:
                return json.load(handle)
            except ValueError as exc:
                raise ConfError('%s: %s' % (handle.name, exc))

    def _note(self, what):
        if self._trail.tell() > TRAIL_LIMIT:
            self._trail.close()
            os.replace(self._path('trail.log'), self._path('trail.old'))
            self._trail = self._open_trail()
        self._trail.write('%d %d %s\n' % (time.time(), os.getpid(), what))

    def _mask(self, name, raw):
        stream = hashlib.shake_256(self._key + name.encode('utf-8')).digest(len(raw))
        return bytes(a ^ b for a, b in zip(raw, stream))

    def _seal(self, name, masked):
        return hmac.new(self._key, name.encode('utf-8') + b'\0' + masked, 'sha256').hexdigest()

    @contextlib.contextmanager
    def changing(self, name='settings.json', mode=0o644):
        """The values of a file, to be changed; written unless the block fails or changes nothing."""
        lock = StoreLock(self.folder, self.wait)
        lock.acquire()
        try:
            values = self._load(name)
            before = json.dumps(values, sort_keys=True)
            yield values
            after = json.dumps(values, sort_keys=True)
            if after == before:
                return
            _replace_file(self._path(name), after.encode('utf-8'), mode)
        finally:
            lock.release()
        self._note('changed %s' % name)

    def get(self, key, default=None):
        return self._load('settings.json').get(key, default)

    def put_secret(self, name, raw):
        masked = self._mask(name, raw)
        with self.changing('secrets.json', 0o600) as values:
            values[name] = [base64.b64encode(masked).decode('ascii'), self._seal(name, masked)]

    def secret(self, name):
        try:
            encoded, seal = self._load('secrets.json')[name]
        except KeyError:
            raise ConfError('no secret %s' % name)
        masked = base64.b64decode(encoded)
        if not hmac.compare_digest(seal, self._seal(name, masked)):
            raise Tampered(name)
        return self._mask(name, masked)

    def secret_pipe(self, name):
        """Read end of a pipe with the secret in it, to be handed to a child; the caller closes it."""
        raw = self.secret(name)
        reading, writing = os.pipe()
        try:
            try:
                os.set_blocking(writing, False)
                if os.write(writing, raw) != len(raw):
                    raise ConfError('%s does not fit into a pipe' % name)
            finally:
                os.close(writing)
        except BaseException:
            os.close(reading)
            raise
        return reading

    def edit(self, editor):
        """Let ``editor(path)`` change the settings in a scratch file."""
        with self.changing() as values, tempfile.NamedTemporaryFile('w+', suffix='.json', encoding='utf-8') as scratch:
            json.dump(values, scratch, indent=1)
            scratch.flush()
            editor(scratch.name)
            scratch.seek(0)
            try:
                edited = json.load(scratch)
            except ValueError:
                return False  # not JSON any more
            values.clear()
            values.update(edited)
        return True
