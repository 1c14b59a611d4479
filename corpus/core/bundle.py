#!/usr/bin/env python3
"""Build step that packs a source tree into release archives.

Reads ``bundle.json`` (name, version, include, exclude), collects the files, stamps the version into them,
and writes a tar archive, a zip archive and a list of checksums into ``dist``.
"""

import contextlib
import fnmatch
import gzip
import hashlib
import io
import json
import mmap
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

STAMP = b"@VERSION@"
EPOCH = 315532800  # zip files know no earlier time


class BuildError(Exception):
	"""Something is wrong with the tree or its description."""


def _read_ignore_lines(path):
	"""Lines of an ignore file; none if there is no such file."""
	if not path.exists():
		return []
	with path.open(encoding="utf-8") as ignore:
		return ignore.readlines()


def _stdout_of(command, folder):
	"""What a short command prints, spooled to disk since some of them print a lot."""
	with tempfile.TemporaryFile() as spool:
		subprocess.run(command, cwd=folder, stdout=spool, stderr=subprocess.DEVNULL, check=True)
		spool.seek(0)
		text = spool.read().decode("utf-8", "replace")
	return text.strip()


class Phase:
	"""Prints the name of a build phase, and its duration at the end."""

	def __init__(self, title, out=None):
		self.title = title
		self.out = out or sys.stderr
		self.notes = []

	def __enter__(self):
		self.started = time.monotonic()
		return self

	def __exit__(self, kind, value, trace):
		state = "failed" if kind else "done"
		details = ", ".join(self.notes)
		print("%-10s %s in %.2f s %s" % (self.title, state, time.monotonic() - self.started, details), file=self.out)

	def note(self, text):
		self.notes.append(text)


class ChecksumSheet:
	"""The file ``SHA256SUMS``: one line per artefact."""

	def __init__(self, folder):
		self.folder = Path(folder)
		self.lines = 0
		self._sheet = io.open(self.folder / "SHA256SUMS", "w", encoding="ascii", newline="\n")

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		self.close()

	def close(self):
		self._sheet.close()

	def add(self, path):
		digest = hashlib.sha256()
		with open(path, "rb") as artefact:
			while block := artefact.read(1 << 18):
				digest.update(block)
		self._sheet.write("%s  %s\n" % (digest.hexdigest(), path.name))
		self.lines += 1


class Tree:
	"""The files of a source tree that belong into the release."""

	def __init__(self, root):
		self.root = Path(root)
		with open(self.root / "bundle.json", encoding="utf-8") as handle:
			self.settings = json.load(handle)
		for key in ("name", "version"):
			if key not in self.settings:
				raise BuildError("bundle.json has no %r" % key)
		ignored = _read_ignore_lines(self.root / ".bundleignore")
		self.exclude = self.settings.get("exclude", []) + [line.strip() for line in ignored if line.strip()]

	@property
	def stem(self):
		return "%(name)s-%(version)s" % self.settings

	def files(self):
		"""Relative paths, sorted, so that equal trees give equal archives."""
		found, pending = [], [self.root]
		while pending:
			folder = pending.pop()
			with os.scandir(folder) as entries:
				for entry in entries:
					relative = Path(entry.path).relative_to(self.root)
					if any(fnmatch.fnmatch(str(relative), pattern) for pattern in self.exclude):
						continue
					if entry.is_dir(follow_symlinks=False):
						pending.append(Path(entry.path))
					elif entry.is_file(follow_symlinks=False):
						found.append(relative)
		return sorted(found)

	def needs_stamp(self, relative):
		"""Whether the file holds the version mark; large files are not read as a whole."""
		path = self.root / relative
		if path.stat().st_size < len(STAMP):
			return False
		marked = False
		with path.open("rb") as handle:
			with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
				marked = view.find(STAMP) >= 0
		return marked

	def content(self, relative):
		"""The bytes of a file as they are released."""
		source = open(self.root / relative, "rb")
		try:
			data = source.read()
			if self.needs_stamp(relative):
				data = data.replace(STAMP, self.settings["version"].encode("ascii"))
		finally:
			source.close()
		return data


class Packer:
	"""Writes the archives of one tree."""

	def __init__(self, tree, target):
		self.tree = tree
		self.target = Path(target)
		self.target.mkdir(parents=True, exist_ok=True)

	def tarball(self):
		path = self.target / (self.tree.stem + ".tar.gz")
		archive = tarfile.open(path, "w:gz")
		try:
			for relative in self.tree.files():
				data = self.tree.content(relative)
				member = tarfile.TarInfo("%s/%s" % (self.tree.stem, relative.as_posix()))
				member.size = len(data)
				member.mtime = EPOCH
				with io.BytesIO(data) as body:
					archive.addfile(member, body)
		finally:
			archive.close()
		return path

	def zipball(self):
		path = self.target / (self.tree.stem + ".zip")
		with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
			for relative in self.tree.files():
				name = "%s/%s" % (self.tree.stem, relative.as_posix())
				archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), self.tree.content(relative))
		return path

	def unpack_check(self, path):
		"""Unpack an archive into a scratch folder and compare it with the tree."""
		different = []
		with tempfile.TemporaryDirectory(prefix="bundle-") as scratch:
			shutil.unpack_archive(path, scratch)
			for relative in self.tree.files():
				copy = Path(scratch, self.tree.stem, relative)
				with copy.open("rb") as handle:
					crc = zlib.crc32(handle.read())
				if crc != zlib.crc32(self.tree.content(relative)):
					different.append(relative)
		return different

	def same_bytes(self, first, second):
		"""Whether two builds gave the same archive."""
		with open(first, "rb") as old, open(second, "rb") as new:
			while block := old.read(1 << 18):
				if block != new.read(len(block)):
					return False
			return not new.read(1)

	def inflate(self, path):
		"""The tar archive without its compression, for mirrors that compress themselves."""
		target = path.with_suffix("")
		plain = open(target, "wb")
		whole = False
		try:
			with gzip.open(path, "rb") as packed:
				shutil.copyfileobj(packed, plain)
			whole = True
		finally:
			if whole:
				plain.close()
				shutil.copymode(path, target)
			else:
				plain.close()
				target.unlink()
		return target

	def sign_off(self, paths):
		with ChecksumSheet(self.target) as sheet:
			for path in paths:
				sheet.add(path)
			if sheet.lines == 0:
				raise BuildError("nothing was built")


def revision(root):
	"""The commit the tree was taken from, or an empty text outside of a checkout."""
	commit = ""
	with contextlib.suppress(OSError, subprocess.CalledProcessError):
		commit = _stdout_of(["git", "rev-parse", "--short", "HEAD"], root)
	return commit


def changed_paths(root):
	"""Files that differ from the last commit, one name a line."""
	proc = subprocess.Popen(["git", "diff", "--name-only", "HEAD"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
	names, _ = proc.communicate()
	if proc.returncode:
		raise BuildError("%s is no checkout" % root)
	return names.decode("utf-8", "replace").splitlines()


def listed_version(folder, name):
	"""The version of which a folder of releases holds the checksum."""
	with open(Path(folder, "SHA256SUMS"), encoding="ascii") as sheet:
		for line in sheet:
			artefact = line.split()[1]
			if artefact.startswith(name + "-") and artefact.endswith(".zip"):
				return artefact[len(name) + 1 : -len(".zip")]
	return None


def build(root, target):
	tree = Tree(root)
	packer = Packer(tree, target)
	with Phase("pack") as phase:
		paths = [packer.tarball(), packer.zipball()]
		phase.note("%d files" % len(tree.files()))
		phase.note("revision %s" % (revision(root) or "unknown"))
	with Phase("check") as phase:
		for path in paths:
			different = packer.unpack_check(path)
			if different:
				raise BuildError("%s differs in %s" % (path, different[0]))
		packer.sign_off(paths)
		phase.note(tree.stem)
	return paths


if __name__ == "__main__":
	try:
		build(sys.argv[1] if len(sys.argv) > 1 else ".", "dist")
	except BuildError as error:
		sys.exit("bundle: %s" % error)
