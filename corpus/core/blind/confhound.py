'''
confhound - keeps a program's settings in step with a folder of .conf files.

    hound = ConfHound('/etc/example.d', '/var/lib/example/settings.json')
    hound.observe(on_change, 'database')
    hound.start()
    hound.close()

The files are read in the order of their names, later ones win.  Files that cannot be parsed change nothing; the last
settings that were good are kept in a file, and are there at the next start even if the folder is a mess by then.
'''

import configparser
import contextlib
import fcntl
import json
import logging
import os
import queue
import select
import signal
import subprocess
import tempfile
import threading

log = logging.getLogger('confhound')

SIZE_LIMIT = 1 << 18


class ConfTrouble(Exception):
	'''A file that cannot be used.'''


class AlreadyWatched(Exception):
	'''Another hound has the same state file.'''


class ConfFolder(object):
	'''Holds on to the folder itself: it may be renamed, and another one put into its place.'''

	def __init__(self, path):
		self.path = path
		self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

	def renew(self):
		'''Go over to what has that name now, if it is another folder.'''
		fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
		try:
			if os.path.sameopenfile(fd, self._fd):
				return False
			fd, self._fd = self._fd, fd
			return True
		finally:
			os.close(fd)

	def stamps(self):
		found = {}
		with os.scandir(self._fd) as entries:
			for entry in entries:
				if not entry.name.endswith('.conf'):
					continue
				info = entry.stat()
				found[entry.name] = (info.st_mtime_ns, info.st_size, info.st_ino)
		return found

	def read(self, name):
		fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
		try:
			missing = os.fstat(fd).st_size
			if missing > SIZE_LIMIT:
				raise ConfTrouble('%s is too large' % name)
			blocks = []
			while missing > 0:
				block = os.read(fd, missing)
				if not block:
					raise ConfTrouble('%s became shorter' % name)
				blocks.append(block)
				missing -= len(block)
		finally:
			os.close(fd)
		return b''.join(blocks).decode('utf-8', 'replace')

	def close(self):
		fd, self._fd = self._fd, None
		if fd is not None:
			os.close(fd)


class GoodSettings(object):
	'''The file with the last good settings.  It is locked while there is an instance.'''

	def __init__(self, path):
		self.path = path
		self._lock = os.open(path + '.lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
		try:
			fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
		except BaseException as exc:
			self.close()
			if isinstance(exc, BlockingIOError):
				raise AlreadyWatched(path)
			raise

	def load(self):
		try:
			source = open(self.path)
		except FileNotFoundError:
			return {}
		try:
			return json.load(source)
		except ValueError as exc:
			log.warning('%s is damaged: %s', self.path, exc)
			return {}
		finally:
			source.close()

	def save(self, settings):
		draft = tempfile.NamedTemporaryFile('w', dir=os.path.dirname(self.path), prefix='.conf-', delete=False)
		try:
			with draft:
				json.dump(settings, draft, indent=1, sort_keys=True)
			os.replace(draft.name, self.path)
		except BaseException:
			os.unlink(draft.name)
			raise

	def close(self):
		lock, self._lock = self._lock, None
		if lock is not None:
			os.close(lock)


class ReloadFifo(object):
	'''Whoever writes to it has the folder looked at now.'''

	def __init__(self, path):
		self.path = path
		with contextlib.suppress(FileNotFoundError):
			os.unlink(path)
		os.mkfifo(path, 0o600)
		self.ends = []
		try:
			# the second end keeps the first one from being at its end between two writers
			for flags in (os.O_RDONLY, os.O_WRONLY):
				self.ends.append(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC))
		except BaseException:
			self.close()
			raise

	def poke(self):
		with contextlib.suppress(BlockingIOError):
			os.write(self.ends[1], b'.')

	def drain(self):
		with contextlib.suppress(BlockingIOError):
			while os.read(self.ends[0], 512):
				pass

	def close(self):
		try:
			while self.ends:
				close_quietly(self.ends.pop())
		finally:
			with contextlib.suppress(FileNotFoundError):
				os.unlink(self.path)


def close_quietly(fd):
	try:
		os.close(fd)
	except OSError as exc:
		log.debug('descriptor %d: %s', fd, exc)


class Observer(object):
	'''What observe() returns; ends with cancel().'''

	def __init__(self, board, callback, section):
		self._board = board
		self.callback = callback
		self.section = section

	def cancel(self):
		self._board.drop(self)

	def __enter__(self):
		return self

	def __exit__(self, *exc_info):
		self.cancel()


class ObserverBoard(object):
	def __init__(self):
		self._guard = threading.Lock()
		self._observers = []

	def add(self, callback, section):
		observer = Observer(self, callback, section)
		with self._guard:
			self._observers.append(observer)
		return observer

	def drop(self, observer):
		with self._guard:
			if observer in self._observers:
				self._observers.remove(observer)

	def tell(self, changes):
		self._guard.acquire()
		try:
			present = list(self._observers)
		finally:
			self._guard.release()
		for observer in present:
			if observer.section is None or observer.section in changes:
				try:
					observer.callback(changes)
				except Exception:
					log.exception('an observer failed')


def run_hook(command, sections, patience):
	'''Hand the names of changed sections to a program.'''
	child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
	try:
		child.communicate('\n'.join(sections).encode('utf-8'), patience)
		if child.returncode:
			log.warning('%s ended with %d', command[0], child.returncode)
	except subprocess.TimeoutExpired:
		log.warning('%s takes too long', command[0])
	finally:
		with child:
			child.kill()


class ConfHound(threading.Thread):
	def __init__(self, folder, state, interval=1.0, hook=None, patience=10.0):
		super(ConfHound, self).__init__(name='confhound')
		self.interval = interval
		self.hook = hook
		self.patience = patience
		self._ending = False
		self._seen = None
		self._board = ObserverBoard()
		self._parts = []
		try:
			self._folder = self._part(ConfFolder(folder))
			self._good = self._part(GoodSettings(state))
			self._fifo = self._part(ReloadFifo(state + '.reload'))
			self._poll = self._part(select.epoll())
			self._poll.register(self._fifo.ends[0], select.EPOLLIN)
			self.settings = self._good.load()
		except BaseException:
			self.close()
			raise

	def _part(self, part):
		self._parts.append(part)
		return part

	def close(self):
		self._ending = True
		with contextlib.ExitStack() as stack:
			for part in self._parts:
				stack.callback(part.close)
			del self._parts[:]
			if self.is_alive():
				stack.callback(self.join)
				self._fifo.poke()

	def observe(self, callback, section=None):
		'''Have changes reported, until the result is cancelled.'''
		return self._board.add(callback, section)

	def changes(self, section=None, patience=None):
		'''Changes as they come, until there was none for a while.'''
		inbox = queue.Queue()
		observer = self.observe(inbox.put, section)
		try:
			while True:
				yield inbox.get(timeout=patience)
		except queue.Empty:
			log.debug('no change for %s s', patience)
		finally:
			observer.cancel()

	def run(self):
		while not self._ending:
			try:
				self.check()
			except OSError as exc:
				log.warning('%s: %s', self._folder.path, exc)
			if self._poll.poll(self.interval):
				self._fifo.drain()

	def check(self):
		'''Look once; the changes that were found, by section.'''
		self._folder.renew()
		stamps = self._folder.stamps()
		if stamps == self._seen:
			return {}
		self._seen = stamps
		parser = configparser.ConfigParser(interpolation=None)
		try:
			for name in sorted(stamps):
				parser.read_string(self._folder.read(name), name)
		except (ConfTrouble, configparser.Error) as exc:
			log.warning('nothing is changed: %s', exc)
			return {}
		fresh = {section: dict(parser.items(section)) for section in parser.sections()}
		changes = {section: fresh.get(section) for section in set(fresh) | set(self.settings)
				   if fresh.get(section) != self.settings.get(section)}
		if changes:
			self._good.save(fresh)
			self.settings = fresh
			self._board.tell(changes)
			if self.hook:
				run_hook(self.hook, sorted(changes), self.patience)
		return changes


@contextlib.contextmanager
def looks_on_hangup(hound):
	'''As long as it lasts, SIGHUP has the folder looked at.'''
	before = signal.signal(signal.SIGHUP, lambda number, frame: hound._fifo.poke())
	try:
		yield
	finally:
		signal.signal(signal.SIGHUP, before)
