"""Calls into blind/wordmill.py."""

import gzip
import os
import struct
import zlib

from blind import wordmill


def _texts(box, name="notes", count=1):
    for number in range(count):
        box.write(f"{name}/{number}.txt", f"The mill grinds words\nnumber {number}\n")
    return box.path(name)


def _segment(box, name, word="mill"):
    with box.using(wordmill.SegmentDraft(box.path(name))) as draft:
        draft.add(word, {1: 2, 2: 1})


def indexes_a_folder(box):
    root = _texts(box)
    box.write("notes/deep/note.md", "more words for the mill")
    box.write("notes/deep/old.txt.gz", gzip.compress(b"old words"))
    box.write("notes/deep/bad.gz", "no gzip")
    box.write("notes/.hidden.txt", "secret")
    box.write("notes/picture.png", "")
    with box.using(wordmill.WordIndex(box.path("index"))) as index:
        index.add_tree(root)
        index.search("words mill")
        index.search("words mill")
        index.search("absent words")


def indexes_many_files(box):
    root = _texts(box, count=10)
    with box.using(wordmill.WordIndex(box.path("index"))) as index:
        index.add_tree(root, workers=1)


def merges_segments(box):
    with box.using(wordmill.WordIndex(box.path("index"), open_segments=1)) as index:
        index.add_tree(_texts(box))
        index.merge()
        index.add_tree(_texts(box, "mails"))
        index.search("mill")
        index.merge()
    with box.using(wordmill.WordIndex(box.path("index"))) as index:
        index.search("mill")


def finds_nothing_to_index(box):
    os.mkdir(box.path("notes"))
    with box.using(wordmill.WordIndex(box.path("index"))) as index:
        index.add_tree(box.path("notes"))


def is_the_second_writer(box):
    with box.using(wordmill.WordIndex(box.path("index"))):
        with box.raises(BlockingIOError):
            wordmill.WordIndex(box.path("index"))


def has_no_database(box):
    box.write("index/docs.db", "this is no database, it is a text that is long enough")
    with box.raises(Exception):
        wordmill.WordIndex(box.path("index"))


def keeps_segments_open(box):
    for name in "abc":
        _segment(box, name)
    with box.using(wordmill.SegmentShelf(box.path(), 1)) as shelf:
        for name in "abca":
            with shelf.pinned(name) as segment:
                segment.postings("mill")
        with shelf.pinned("a"), shelf.pinned("b"):
            pass
        with box.raises(Exception):
            with shelf.pinned("c"):
                box.fail()
        shelf.forget("c")
        shelf.forget("c")


def refuses_damaged_segments(box):
    footer = struct.pack("<QII", 7, 0, 1)
    for content in ("short", b"WMSEG2\n" + bytes(20), b"WMSEG2\n" + footer, b"NOSEG2\n" + bytes(16)):
        with box.raises(wordmill.DamagedSegment, zlib.error, struct.error):
            wordmill.MappedSegment(box.write("seg", content))


def abandons_a_draft(box):
    with box.raises(Exception):
        with wordmill.SegmentDraft(box.path("seg")) as draft:
            draft.add("mill", {1: 1})
            box.fail()
    os.mkdir(box.path("taken"))
    with box.raises(OSError):
        with wordmill.SegmentDraft(box.path("taken")) as draft:
            draft.add("mill", {1: 1})


def walks_a_part_of_a_folder(box):
    _texts(box, "notes/deep", 3)
    box.take(wordmill.walk_texts(box.path("notes")))


def counts_words(box):
    wordmill.count_words(box.write("a.txt", "some words\n" * 3))
    wordmill.count_words(box.write("b.txt", "some words\n" * 3), most=1)
    wordmill.count_words(box.write("c.gz", gzip.compress(b"some words\n")))


def is_exported(box):
    with box.using(wordmill.WordIndex(box.path("index"))) as index:
        index.export(box.path("empty.tar.gz"))
        index.add_tree(_texts(box))
        index.export(box.path("index.tar.gz"))


def opens_one_segment_after_the_other(box):
    with box.using(wordmill.SegmentShelf(box.path(), 3)) as shelf:
        for number in box.rounds(6):
            _segment(box, f"seg{number}")
            with shelf.pinned(f"seg{number}") as segment:
                segment.postings("mill")


def answers_many_questions(box):
    with box.using(wordmill.WordIndex(box.path("index"), answers=5)) as index:
        for number in box.rounds(8):
            index.search(f"word{number}")
