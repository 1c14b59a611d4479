"""Calls into stores/segments.py."""

import hashlib
from pathlib import Path

from stores import segments


def _filled(box, limit=64):
    return segments.SegmentStore(str(box.path()), limit)


def writes_and_finds(box):
    with box.using(_filled(box)) as store:
        first = store.append(b"apples and pears")
        store.append(b"a longer record, so that the next one needs a segment")
        store.append(b"plums")
        store.read(first)
        store.find(b"pears")
        store.find(b"cherries")
        store.sync()


def finds_a_word_over_a_boundary(box):
    with box.using(_filled(box, limit=1000)) as store:
        store.append(b"apples")
        store.find(b"SEG1")


def packs_and_compacts(box):
    with box.using(_filled(box)) as store:
        store.append(b"one")
        store.append(b"two")
        store.rotate()
        store.append(b"three")
        store.compact([1, 2], {hashlib.sha1(b"two").hexdigest()})
        path = store.pack(1)
        list(segments.sealed_records(path))
        box.take(segments.sealed_records(path))
        segments.unpacked_segment(path)


def compacts_what_is_gone(box):
    with box.using(_filled(box)) as store, box.raises(FileNotFoundError):
        store.compact([9], set())


def opens_again(box):
    with box.using(_filled(box)) as store:
        store.append(b"one")
        store.load_hints()
        store.save_hints({"one": [1, 4]})
        store.load_hints()
        with box.raises(segments.Busy):
            _filled(box)
    with box.using(_filled(box)) as store:
        store.append(b"two")


def refuses_damaged_segments(box):
    with box.using(_filled(box)) as store:
        place = store.append(b"one")
        store.rotate()
        data = Path(box.path("000001.seg")).read_bytes()
        box.write("000001.seg", data[:-1] + b"?")
        with box.raises(segments.SegmentError):
            store.read(place)
        box.write("000001.seg", b"rubbish" + data)
        with box.raises(segments.SegmentError):
            store.find(b"one")


def refuses_a_cut_off_segment(box):
    box.write("000001.seg", segments.MAGIC + segments.encode(b"one")[:5])
    with box.using(_filled(box)) as store:
        with box.raises(segments.SegmentError):
            store.pack(1)


def cuts_off_a_record(box):
    list(segments.decode(segments.MAGIC + segments.encode(b"one")[:-1], 4))


def refuses_odd_names(box):
    box.write("summer.seg", b"")
    with box.raises(ValueError):
        _filled(box)


def creates_a_segment(box):
    path = str(box.path("new.seg"))
    with box.using(segments.create_segment(path)) as segment:
        segment.write(segments.encode(b"one"))
    segments.create_segment(box.path("other.seg"), durable=False).close()
    with box.raises(FileExistsError):
        segments.create_segment(path)


def cannot_map_an_empty_file(box):
    path = str(box.write("empty.seg", b""))
    with box.raises(ValueError), segments.mapped_segment(path):
        pass


def fails_in_a_mapping(box):
    path = str(box.write("one.seg", segments.MAGIC + segments.encode(b"one")))
    with box.raises(RuntimeError), segments.mapped_segment(path):
        box.fail()
