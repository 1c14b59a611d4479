# -*- coding: utf-8 -*-
'''
toolrack -- plugins of a diagram editor

A plugin is a folder or a zip archive with a ``plugin.ini`` in it, which tells its name, its kind and its entry.
Scripts are run inside the editor, and their function ``activate(port)`` is called.  Programs are started and
answer requests, a JSON value a line.  Whatever a plugin has connected goes away with it.
'''

import configparser
import contextlib
import fcntl
import functools
import inspect
import json
import logging
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import types
import weakref
import zipfile
from collections import OrderedDict, namedtuple

log = logging.getLogger('toolrack')

GRACE = 1.0
PACKAGE = 'toolrack_plugin_'

Manifest = namedtuple('Manifest', 'name kind entry')


class RackError(Exception):
    '''A plugin cannot be used, or not in this way.'''


def _close_all(things):
    '''Close the last one first, and all of them; the first error is raised in the end.'''
    failure = None
    for thing in reversed(things):
        try:
            thing.close()
        except Exception as exc:
            log.warning('%r: %s', thing, exc)
            failure = failure or exc
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # or else the two hold each other


class FolderPack(object):
    '''The files of a plugin that lies in a folder.'''

    def __init__(self, path):
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def open(self, name):
        return open(name, 'rb', opener=functools.partial(os.open, dir_fd=self._fd))

    def close(self):
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class ZipPack(object):
    '''The files of a plugin that came as an archive.'''

    def __init__(self, path):
        self.path = path
        self._archive = zipfile.ZipFile(path)
        try:
            for name in self._archive.namelist():
                if name.startswith('/') or '..' in name.split('/'):
                    raise RackError('%s: %s is outside' % (path, name))
        except BaseException:
            self._archive.close()
            raise

    def open(self, name):
        return self._archive.open(name)

    def close(self):
        self._archive.close()


def _read_manifest(pack):
    parser = configparser.ConfigParser()
    try:
        with pack.open('plugin.ini') as source:
            parser.read_string(source.read().decode('utf-8'))
        section = parser['plugin']
        return Manifest(section['name'], section.get('kind', 'script'), section['entry'])
    except (KeyError, TypeError, ValueError, configparser.Error) as exc:
        raise RackError('%s: bad plugin.ini: %s' % (pack.path, exc))


class EventPort(object):
    '''Events by name. Bound methods are kept weakly, functions for good.'''

    def __init__(self):
        self._slots = {}

    def connect(self, event, callback):
        ref = weakref.WeakMethod(callback) if inspect.ismethod(callback) else (lambda: callback)
        self._slots.setdefault(event, []).append(ref)
        return functools.partial(self._disconnect, event, ref)

    def _disconnect(self, event, ref):
        self._slots[event] = [slot for slot in self._slots.get(event, ()) if slot is not ref]

    def emit(self, event, *args):
        answers = []
        for ref in list(self._slots.get(event, ())):
            callback = ref()
            if callback is None:
                self._disconnect(event, ref)
                continue
            try:
                answers.append(callback(*args))
            except Exception as exc:
                log.error('%s: %s', event, exc)
        return answers


class PluginPort(object):
    '''What a script sees of the editor; remembers what has to be undone.'''

    def __init__(self, rack):
        self._rack = weakref.proxy(rack)
        self._undo = contextlib.ExitStack()

    def on(self, event, callback):
        self._undo.callback(self._rack.events.connect(event, callback))

    def at_unload(self, callback, *args):
        self._undo.callback(callback, *args)

    def close(self):
        self._undo.close()


class ScriptPlugin(object):
    def __init__(self, rack, pack, manifest):
        self._pack = pack
        self._module = types.ModuleType(PACKAGE + manifest.name)
        self._port = PluginPort(rack)
        with pack.open(manifest.entry) as source:
            text = source.read()
        sys.modules[self._module.__name__] = self._module
        try:
            exec(compile(text, manifest.entry, 'exec'), self._module.__dict__)
            self._module.activate(self._port)
        except BaseException:
            self._leave()
            raise

    def call(self, request, *args):
        return getattr(self._module, request)(*args)

    def _leave(self):
        try:
            self._port.close()
        finally:
            sys.modules.pop(self._module.__name__, None)

    def close(self):
        try:
            self._leave()
        finally:
            self._pack.close()


class ProgramPlugin(object):
    '''A program that is started with the first request.'''

    def __init__(self, rack, pack, manifest):
        self._pack, self._entry = pack, manifest.entry
        self._lock = threading.Lock()
        self._folder = self._process = None

    def _start(self):
        self._folder = tempfile.mkdtemp(prefix='toolrack-')
        try:
            program = os.path.join(self._folder, os.path.basename(self._entry))
            with self._pack.open(self._entry) as source, open(program, 'wb') as target:
                shutil.copyfileobj(source, target)
            self._process = subprocess.Popen(['/bin/sh', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             cwd=self._folder)
        except BaseException:
            self._stop()
            raise

    def call(self, request, *args):
        with self._lock:
            if self._process is None:
                self._start()
            try:
                self._process.stdin.write(json.dumps([request] + list(args)).encode('ascii') + b'\n')
                self._process.stdin.flush()
                line = self._process.stdout.readline()
                if not line:
                    raise RackError('%s has ended' % self._entry)
                return json.loads(line.decode('utf-8'))
            except (OSError, ValueError, RackError):
                self._stop()            # the next request starts it again
                raise

    def _stop(self):
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        try:
            if process is not None:
                with process:
                    try:
                        process.stdin.close()
                        process.wait(GRACE)
                    except (BrokenPipeError, subprocess.TimeoutExpired):
                        log.info('%s does not want to end', self._entry)
                    finally:
                        process.kill()
        finally:
            if folder is not None:
                shutil.rmtree(folder)

    def close(self):
        try:
            with self._lock:
                self._stop()
        finally:
            self._pack.close()


class ShapeCache(object):
    '''Shape libraries, mapped into memory. A few that nobody uses stay open for the next user.'''

    def __init__(self, idle=8):
        self.idle = idle
        self._used = {}
        self._unused = OrderedDict()

    def get(self, path):
        '''A map, to be given back with `put`.'''
        if path in self._used:
            entry = self._used[path]
        elif path in self._unused:
            entry = self._used[path] = self._unused.pop(path)
        else:
            with open(path, 'rb') as source:
                entry = self._used[path] = [mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ), 0]
        entry[1] += 1
        return entry[0]

    def put(self, path):
        entry = self._used[path]
        entry[1] -= 1
        if entry[1] == 0:
            self._unused[path] = self._used.pop(path)
            while len(self._unused) > self.idle:
                _, (oldest, _) = self._unused.popitem(last=False)
                oldest.close()

    def close(self):
        entries = [*self._used.values(), *self._unused.values()]
        self._used.clear()
        self._unused.clear()
        _close_all([shapes for shapes, _ in entries])


class ToolRack(object):
    KINDS = {'script': ScriptPlugin, 'program': ProgramPlugin}

    def __init__(self):
        self.events = EventPort()
        self.shapes = ShapeCache()
        self.plugins = {}
        self.refused = {}

    def load(self, path):
        pack = FolderPack(path) if os.path.isdir(path) else ZipPack(path)
        try:
            manifest = _read_manifest(pack)
            if manifest.name in self.plugins:
                raise RackError('there are two plugins %s' % manifest.name)
            if manifest.kind not in self.KINDS:
                raise RackError('%s: %s?' % (path, manifest.kind))
            plugin = self.KINDS[manifest.kind](self, pack, manifest)
        except BaseException:
            pack.close()
            raise
        self.plugins[manifest.name] = plugin
        return manifest.name

    def load_all(self, folder):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(('.', '_')) or not (entry.is_dir() or entry.name.endswith('.zip')):
                    continue
                try:
                    self.events.emit('loaded', self.load(entry.path))
                except (RackError, OSError, zipfile.BadZipFile) as exc:
                    self.refused[entry.name] = str(exc)

    def unload(self, name):
        self.plugins.pop(name).close()
        self.events.emit('unloaded', name)

    def close(self):
        plugins, self.plugins = self.plugins, {}
        _close_all([self.shapes, *plugins.values()])


@contextlib.contextmanager
def editing(folder):
    '''A rack with all plugins of a folder, which no other editor changes meanwhile.'''
    fd = os.open(os.path.join(folder, '.lock'), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        rack = ToolRack()
        try:
            rack.load_all(folder)
            yield rack
        finally:
            rack.close()
    finally:
        os.close(fd)
