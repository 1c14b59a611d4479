"""The lobby of a game server: players come in, sit down at tables, chat, and are matched.

Lines over TCP.  A player says NAME, SIT, LEAVE, SAY, LIST or QUIT; as soon as a table is full, a referee program is
started with the names of its players, and the last line it prints is told to them as the result.
"""

import contextlib
import logging
import socket
import subprocess
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)

LINE_LIMIT = 400


class LobbyRule(Exception):
	"""The player asked for something that is not allowed; told to nobody else."""


class Seated:
	"""Somebody who is connected."""

	def __init__(self, sock, number):
		self.sock = sock
		self.name = f"guest{number}"
		self._lines = sock.makefile("r", encoding="utf-8", errors="replace", newline="\n")
		self.seat = None

	@property
	def table(self):
		return self.seat and self.seat()

	def next_line(self):
		line = self._lines.readline(LINE_LIMIT)
		return line.strip() if line.endswith("\n") else None

	def tell(self, line):
		try:
			self.sock.sendall(line.encode() + b"\n")
		except OSError as exc:
			log.info("%s does not listen: %s", self.name, exc)  # the thread that reads will notice

	def hang_up(self):
		with contextlib.suppress(OSError):
			self.sock.shutdown(socket.SHUT_RDWR)

	def close(self):
		try:
			self._lines.close()
		finally:
			self.sock.close()


class GameTable:
	def __init__(self, name, size, remembered=20):
		self.name, self.size = name, size
		self.players = []
		self.chat = deque(maxlen=remembered)

	def sit(self, player):
		if len(self.players) >= self.size:
			raise LobbyRule(f"{self.name} is full")
		self.players.append(player)
		player.seat = weakref.ref(self)

	def leave(self, player):
		player.seat = None
		self.players.remove(player)


class LobbyServer:
	"""Accepts players until it is closed, each in a thread; matches have a few more."""

	def __init__(self, referee, results, size=2, limit=50, idle=300.0):
		self.referee, self.size, self.limit, self.idle = referee, size, limit, idle
		self.stopping = False
		self._lock = threading.RLock()
		self._players, self._tables, self._observers = [], {}, []
		self._threads, self._referees = [], set()
		with contextlib.ExitStack() as stack:
			self._results = stack.enter_context(open(results, "a", encoding="utf-8"))
			self._matches = stack.enter_context(ThreadPoolExecutor(2, "match"))
			self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
			self.address = self._listener.getsockname()
			acceptor = threading.Thread(target=self._accept, name="lobby")
			acceptor.start()
			stack.callback(self._end, acceptor)
			self._owned = stack.pop_all()

	def close(self):
		self._owned.close()

	def _end(self, acceptor):
		"""Wake everybody up, and wait until they have gone."""
		self.stopping = True
		with contextlib.ExitStack() as joins:
			joins.callback(acceptor.join)
			with contextlib.suppress(OSError):
				self._listener.shutdown(socket.SHUT_RDWR)
			with self._lock, contextlib.ExitStack() as stack:
				for thread in self._threads:
					joins.callback(thread.join)
				for process in self._referees:
					stack.callback(process.kill)
				for player in self._players:
					stack.callback(player.hang_up)

	@contextlib.contextmanager
	def watched(self, observer):
		"""Calls ``observer(event, name)`` when players come and go."""
		with self._lock:
			self._observers.append(observer)
		try:
			yield
		finally:
			with self._lock:
				self._observers.remove(observer)

	def _announce(self, event, name):
		for observer in list(self._observers):
			observer(event, name)

	def _accept(self):
		number = 0
		with self._listener:
			while not self.stopping:
				try:
					sock, _ = self._listener.accept()
				except OSError:
					break  # close() wakes us so
				number += 1
				self._welcome(sock, number)

	def _welcome(self, sock, number):
		with contextlib.ExitStack() as stack:
			stack.callback(sock.close)
			sock.settimeout(self.idle)
			thread = threading.Thread(target=self._attend, args=(sock, number), name=f"player-{number}")
			with self._lock:
				self._threads = [each for each in self._threads if each.is_alive()]
				if self.stopping or len(self._players) >= self.limit:
					return
				thread.start()
				self._threads.append(thread)
			stack.pop_all()

	def _attend(self, sock, number):
		with sock:
			player = Seated(sock, number)
			try:
				with self._lock:
					self._players.append(player)
					if self.stopping:
						return
				self._announce("came", player.name)
				player.tell(f"WELCOME {player.name}")
				while (line := player.next_line()) is not None and line != "QUIT":
					try:
						self._obey(player, *line.partition(" ")[::2])
					except LobbyRule as exc:
						player.tell(f"NO {exc}")
			except OSError as exc:
				log.info("%s: %s", player.name, exc)
			finally:
				self._dismiss(player)

	def _dismiss(self, player):
		try:
			with self._lock:
				if player in self._players:
					self._players.remove(player)
				self._stand_up(player)
			self._announce("went", player.name)
		finally:
			player.close()

	def _stand_up(self, player):
		if (table := player.table) is not None:
			table.leave(player)
			if not table.players:
				del self._tables[table.name]

	def _obey(self, player, verb, rest):
		if verb == "NAME" and rest.isidentifier():
			with self._lock:
				if any(other.name == rest for other in self._players):
					raise LobbyRule(f"{rest} is taken")
				player.name = rest
			player.tell(f"OK {rest}")
		elif verb == "SIT" and rest:
			self._seat(player, rest)
		elif verb == "LEAVE":
			with self._lock:
				self._stand_up(player)
			player.tell("OK")
		elif verb == "SAY" and (table := player.table) is not None:
			table.chat.append(f"SAID {player.name} {rest}")
			self._tell_all(table, f"SAID {player.name} {rest}")
		elif verb == "LIST":
			player.tell("TABLES " + " ".join(list(self._tables)))
		else:
			raise LobbyRule("what?")

	def _seat(self, player, name):
		with self._lock:
			self._stand_up(player)
			table = self._tables.get(name) or GameTable(name, self.size)
			table.sit(player)
			self._tables[name] = table
			full, said = len(table.players) == table.size, list(table.chat)
		for line in said:
			player.tell(line)
		self._tell_all(table, f"SITS {player.name}")
		if full:
			self._matches.submit(self._play, table)

	def _tell_all(self, table, line):
		for player in list(table.players):
			player.tell(line)

	def _play(self, table):
		names = [player.name for player in list(table.players)]
		with subprocess.Popen([*self.referee, *names], stdout=subprocess.PIPE, text=True) as process:
			try:
				with self._lock:
					self._referees.add(process)
					if self.stopping:
						return
				lines = process.communicate()[0].splitlines()
			finally:
				with self._lock:
					self._referees.discard(process)
				process.kill()
		outcome = lines[-1] if lines and process.returncode == 0 else "void"
		with self._lock:
			self._results.write(f"{table.name}\t{' '.join(names)}\t{outcome}\n")
		self._tell_all(table, f"RESULT {outcome}")
