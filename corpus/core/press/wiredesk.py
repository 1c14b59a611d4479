"""The desk of a small newspaper: wires come in, stories are filed, checked and set, and old issues are looked up.

A wire answers "/stories" with a line "slug: headline" for each story, "/story/SLUG" with its text, and takes
corrections at "/corrections". The style guide is an archive beside the program.
"""

import asyncio
import contextlib
import gzip
import logging
import os
import re
import shutil
import socket
import tempfile
import threading
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor

import httpx

log = logging.getLogger("wiredesk")

STYLES = "styles.zip"
TICKER = ("127.0.0.1", 8477)
TRIES = 3
SLUG = re.compile("[a-z0-9-]+$")


class StoryError(Exception):
	"""A story is not as it should be."""


def checked_slug(text):
	slug = text.strip()
	if not SLUG.match(slug):
		raise StoryError("no slug: %r" % text[:30])
	return slug


class Wire:
	"""A wire service, for some questions in a row."""

	def __init__(self, address):
		self.asked = 0
		self._line = httpx.AsyncClient(base_url=address)

	async def __aenter__(self):
		return self

	async def __aexit__(self, *exc_info):
		await self._line.aclose()

	async def story(self, slug):
		self.asked += 1
		reply = await self._line.get("/story/" + checked_slug(slug))
		if not reply.is_success:
			raise StoryError("%s: %d" % (slug, reply.status_code))
		return reply.text


async def fetch(address, slugs):
	found = {}
	async with Wire(address) as wire:
		for slug in slugs:
			found[slug] = await wire.story(slug)
	return found


async def correct(address, slug, text):
	client = httpx.AsyncClient(base_url=address)
	try:
		for _ in range(TRIES):
			reply = await client.post("/corrections", json={"slug": slug, "text": text})
			if reply.is_success:
				return True
		return False
	finally:
		await client.aclose()


async def headlines(address):
	async with httpx.AsyncClient(base_url=address) as client:
		reply = await client.get("/stories")
		for line in reply.text.splitlines():
			slug, _, headline = line.partition(": ")
			yield checked_slug(slug), headline


async def first_about(address, word):
	async with contextlib.aclosing(headlines(address)) as lines:
		async for slug, headline in lines:
			if word in headline:
				return slug
	return None


class FrontPage:
	"""Looks for new headlines while somebody makes up the page."""

	def __init__(self, address, pause):
		self.lines = {}
		self._address = address
		self._pause = pause
		self._refreshing = None

	def start(self):
		if self._refreshing is None:
			self._refreshing = asyncio.create_task(self._refresh())

	async def _refresh(self):
		while True:
			with contextlib.suppress(httpx.HTTPError, StoryError):
				await self.look()
			await asyncio.sleep(self._pause)

	async def look(self):
		async for slug, headline in headlines(self._address):
			self.lines[slug] = headline

	async def close(self):
		if self._refreshing is not None:
			self._refreshing.cancel()
			await asyncio.gather(self._refreshing, return_exceptions=True)
			self._refreshing = None


class Deadline:
	"""Says how many minutes are left, until it is called off."""

	def __init__(self, minutes, say, minute):
		self.left = minutes
		self._say = say
		self._minute = minute
		self._counting = asyncio.ensure_future(self._count_down())

	async def _count_down(self):
		while True:
			self.left = max(0, self.left - 1)
			self._say(self.left)
			await asyncio.sleep(self._minute)

	async def close(self):
		self._counting.cancel()
		try:
			await self._counting
		except asyncio.CancelledError:
			pass
		log.debug("%d minutes left", self.left)


class Corrections:
	"""Sends corrections to all wires that had the story, in the background."""

	def __init__(self, addresses):
		self.taken = 0
		self._addresses = addresses
		self._correcting = set()

	async def _correct(self, slug, text):
		for address in self._addresses:
			if await correct(address, slug, text):
				self.taken += 1

	def send(self, slug, text):
		correcting = asyncio.create_task(self._correct(slug, text))
		self._correcting.add(correcting)
		correcting.add_done_callback(self._correcting.discard)

	async def close(self):
		for correcting in list(self._correcting):
			correcting.cancel()
		await asyncio.gather(*self._correcting, return_exceptions=True)


class Teletype(threading.Thread):
	"""Copies lines from one end to the other until it is switched off."""

	def __init__(self, read, write, pause=0.001):
		super().__init__(name="teletype")
		self._read_line = read
		self._write_line = write
		self._pause = pause
		self._off = threading.Event()

	def run(self):
		while not self._off.wait(self._pause):
			line = self._read_line()
			if line:
				self._write_line(line)

	def switch_off(self):
		self._off.set()


def listen(read, write, work):
	"""Works at something with the teletype on."""
	teletype = Teletype(read, write)
	teletype.start()
	try:
		return work()
	finally:
		teletype.switch_off()
		teletype.join()


class Galley:
	"""Set text in one file, what the setter has to say in another."""

	def __init__(self, base):
		self.columns = 0
		self._text = open(base + ".text", "w", encoding="utf-8")
		try:
			self._remarks = open(base + ".remarks", "w", encoding="utf-8")
		except BaseException:
			self._text.close()
			raise

	def column(self, lines):
		for line in lines:
			self._text.write(line + "\n")
		self.columns += 1

	def remark(self, text):
		self._remarks.write("%d: %s\n" % (self.columns, text))

	def close(self):
		try:
			self._text.close()
		finally:
			self._remarks.close()


class Letters:
	"""Letters of readers; those that can't be printed go to the lawyer, in a file of their own."""

	def __init__(self, path):
		self.path = path
		self._odd = None
		self._fine = gzip.open(path, "at", encoding="utf-8")

	def take(self, text, fine=True):
		if not fine and self._odd is None:
			self._odd = open(self.path + ".odd", "a", encoding="utf-8")
		(self._fine if fine else self._odd).write(text + "\n")

	def close(self):
		with contextlib.ExitStack() as stack:
			if self._odd is not None:
				stack.callback(self._odd.close)
			stack.callback(self._fine.close)


class Issue:
	"""An old issue in the packed store."""

	def __init__(self, path):
		self._pages = gzip.open(path, "rt", encoding="utf-8")
		weakref.finalize(self, self._pages.close)

	def about(self, word):
		found = []
		for line in self._pages:
			if word in line:
				found.append(line.strip())
		return found

	def close(self):
		self._pages.close()


class Clippings:
	"""Cuttings of all issues, in an archive."""

	def __init__(self, path):
		self._box = zipfile.ZipFile(path)
		weakref.finalize(self, self._box.close)

	def cutting(self, name):
		return self._box.read(name).decode("utf-8")

	def close(self):
		self._box.close()


class Proofreaders:
	"""Read proofs beside everything else."""

	def __init__(self, read):
		self.proofs = 0
		self._read = read
		self._readers = ThreadPoolExecutor(1)

	def give(self, text):
		self.proofs += 1
		return self._readers.submit(self._read, text)

	def close(self):
		self._readers.shutdown()


def style_of(word):
	"""How the paper spells a word; what the guide does not know stays as it is."""
	with zipfile.ZipFile(STYLES) as guide:
		for line in guide.read("words").decode("utf-8").splitlines():
			if line.lower() == word.lower():
				return line
	return word


def tick(headline_texts):
	"""Sends headlines to the board on the house, which nobody guarantees to be lit."""
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as board:
		for text in headline_texts:
			board.sendto(text.encode("utf-8")[:80], TICKER)


def make_up(stories, archive):
	"""Puts the stories of an issue into one archive, a file each."""
	sheet = tempfile.mkdtemp(prefix="issue-")
	try:
		for slug, text in stories:
			with open(os.path.join(sheet, checked_slug(slug)), "w", encoding="utf-8") as out:
				out.write(text)
		shutil.make_archive(archive, "gztar", sheet)
	finally:
		shutil.rmtree(sheet)


def proof(lines, show):
	"""Shows a proof, which is nobody's business afterwards."""
	fd, path = tempfile.mkstemp(".proof")
	try:
		with os.fdopen(fd, "w", encoding="utf-8") as out:
			for number, line in enumerate(lines, 1):
				out.write("%3d %s\n" % (number, line))
		show(path)
	finally:
		os.unlink(path)
