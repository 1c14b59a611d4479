"""Calls into build/objcache.py."""

import sys
from contextlib import contextmanager
from pathlib import Path

from build import objcache

COMPILER = [sys.executable, "-S", "-E", "-c", "import sys; open(sys.argv[2], 'wb').write(b'o'); sys.stderr.write('note')"]
BROKEN = [sys.executable, "-S", "-E", "-c", "import sys; sys.exit('no')"]


@contextmanager
def _filled(box):
    with box.using(objcache.ObjectCache(box.path("cache"), limit=1)) as cache:
        cache.open()
        output = box.write("out.o", b"object")
        for digest in ("aa", "bb"):
            cache.store(digest, output, "note")
        yield cache


def digests(box):
    small, empty, large = box.write("a.c", "int a;"), box.write("b.c", ""), box.write("c.c", b"x" * 20000)
    objcache.digest_of([small, empty, large], ["-O2"])


def builds_twice(box):
    source = Path(box.write("a.c", "int a;"))
    objcache.build(Path(box.path("cache")), COMPILER, [source])
    objcache.build(Path(box.path("cache")), COMPILER, [source])


def does_not_compile(box):
    with box.raises(objcache.CacheError):
        objcache.build(Path(box.path("cache")), BROKEN, [Path(box.write("a.c", "int a;"))])


def fetches_and_evicts(box):
    with _filled(box) as cache:
        cache.fetch("aa", box.path("t.o"))
        cache.fetch("zz", box.path("t.o"))
        box.write("cache/bb.zip", "rubbish")
        cache.damaged()
        whole = Path(box.path("cache", "aa.zip")).read_bytes()
        checksum = whole.index(b"PK\x01\x02") + 16
        box.write("cache/aa.zip", whole[:checksum] + b"????" + whole[checksum + 4 :])
        cache.damaged()
        cache.evict()


def keeps_no_draft_of_a_missing_output(box):
    with _filled(box) as cache, box.raises(FileNotFoundError):
        cache.store("cc", box.path("missing.o"), "")


def cannot_open_the_index(box):
    box.write("cache/index.db", b"no database" * 100)
    with box.raises(Exception):
        objcache.ObjectCache(box.path("cache")).open()


def reopens(box):
    with _filled(box) as cache:
        cache.reopen()
        cache.reopen()
        box.take(cache.entries(), 1)


def reopens_what_was_never_open(box):
    box.write("cache/VERSION", "3\n")
    with box.using(objcache.ObjectCache(box.path("cache"))) as cache:
        cache.reopen()


def exports(box):
    with _filled(box) as cache:
        cache.export(["aa", "zz"], box.path("all.zip"))
    with objcache.open_bundle(box.path("all.zip"), "aa"):
        pass
    with box.raises(KeyError):
        objcache.open_bundle(box.path("all.zip"), "zz")


def counts(box):
    with _filled(box) as cache:
        objcache.totals(cache.folder)
        box.write("cache/dd.zip", "")
        objcache.stray_files(cache.folder, cache)
        objcache.schema_version(cache.folder)
        box.write("cache/VERSION", "3\n")
        objcache.schema_version(cache.folder)


def sweeps_alone(box):
    folder = Path(box.path())
    with objcache.exclusive(folder):
        with box.raises(FileExistsError), objcache.exclusive(folder):
            box.fail()


def restarts_the_log(box):
    with box.using(objcache.UsageLog(box.path("usage.log"))) as log:
        log.note("aa", True)
        log.restart()
        log.note("bb", False)
        log.restart()
