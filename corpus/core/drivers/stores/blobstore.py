"""Calls into stores/blobstore.py."""

import sqlite3

from stores import blobstore


def _folder(box):
    box.write("store/keep", "")
    return box.path("store")


def _filled(box):
    folder = _folder(box)
    with box.using(blobstore.Store(folder)) as store:
        store.put("a", b"first")
        store.put("b", b"second")
    return folder


def writes_and_reads(box):
    folder = _filled(box)
    with box.using(blobstore.Reader(folder)) as reader:
        list(reader)
        for number in box.rounds(3):
            reader.get("a")
        with box.raises(KeyError):
            reader.get("c")
    blobstore.export(folder, "b", box.path("out"))
    blobstore.check(folder)


def reads_many(box):
    folder = _folder(box)
    with box.using(blobstore.Store(folder)) as store:
        store.put_all({"blob %d" % number: b"text" for number in range(64)})
    with box.using(blobstore.Reader(folder)) as reader:
        for number in box.rounds(20):
            reader.get("blob %d" % number)


def refuses_what_is_no_blob(box):
    with box.using(blobstore.Store(_folder(box))) as store, box.raises(TypeError):
        store.put_all({"a": b"one", "b": "two"})


def refuses_an_index_that_is_none(box):
    with box.raises(sqlite3.DatabaseError):
        blobstore.PackIndex(box.write("index.db", "rubbish" * 100))


def imports(box):
    box.write("in/a", "one")
    box.write("in/b", "two")
    with box.using(blobstore.Store(_folder(box))) as store:
        blobstore.import_folder(store, box.path("in"))


def finds_damage(box):
    folder = _filled(box)
    box.write("store/pack", "firstSECOND")
    blobstore.check(folder)


def one_writer_at_a_time(box):
    folder = _folder(box)
    with box.using(blobstore.Store(folder)):
        with box.raises(blobstore.Locked):
            blobstore.Store(folder)


def locks(box):
    with box.using(blobstore.StoreLock(box.path("lock"))) as lock:
        lock.take()
        with box.raises(blobstore.StoreError):
            lock.take()
        lock.release()
        lock.release()


def appends(box):
    with box.using(blobstore.PackWriter(box.path())) as writer:
        writer.append(b"blob")
        writer.close()
        with box.raises(blobstore.StoreError):
            writer.append(b"late")


def puts_after_the_end(box):
    store = blobstore.Store(_folder(box))
    with box.using(store):
        store.try_put("in time", b"")
        store.close()
        store.try_put("late", b"")


def counts(box):
    with box.using(blobstore.Tally(box.path("tally"))) as tally:
        tally.note("a")
