"""Calls into blind/gazetteer.py."""

import gzip
import struct

from blind import gazetteer

SOURCE = "# name\tlat\tlon\nMühlbach\t47.1\t11.2\nOberau\tnorth\t11.0\nOberau\t47.6\t11.1\n\nOberau\t47.5\t12.0\n"


def _built(box, source=SOURCE):
    gazetteer.build(box.path(), [box.write("places.tsv", source)])
    return gazetteer.Gazetteer(box.path())


def builds_and_finds(box):
    with box.using(_built(box)) as places:
        list(places.find("muhlbach"))
        box.take(places.find("Oberau"))
        list(places.find("Nowhere"))


def merges_runs_of_packed_sources(box):
    packed = box.write("places.tsv.gz", gzip.compress(SOURCE.encode()))
    gazetteer.build(box.path(), [packed], 2)
    gazetteer.build(box.path(), [packed], 1)


def builds_nothing_of_nothing(box):
    with box.raises(gazetteer.GazetteerError):
        gazetteer.build(box.path(), [box.write("places.tsv", "# nothing\n")])


def gives_a_build_up(box):
    with box.using(gazetteer.GazetteerBuilder(box.path(), 1)) as builder:
        builder.add({"name": "Oberau", "lat": 47.6, "lon": 11.1})


def reads_a_few_places(box):
    box.take(gazetteer.read_places(box.write("places.tsv", SOURCE)), 2)


def opens_a_source(box):
    gazetteer.open_source(box.write("places.tsv", SOURCE)).close()


def cannot_read_a_source(box):
    with box.raises(OSError):
        gazetteer.open_source("/proc/self/mem")  # opens, and its first page cannot be read


def goes_over_to_new_files(box):
    with box.using(_built(box)) as places:
        places.refresh()
        gazetteer.build(box.path(), [box.write("more.tsv", SOURCE + "Thal\t47.0\t11.0\n")])
        places.refresh()
        list(places.find("Thal"))


def refuses_an_empty_index(box):
    box.write("places.idx", b"")
    with box.raises(gazetteer.GazetteerError):
        gazetteer.Gazetteer(box.path())


def refuses_an_alien_index(box):
    box.write("places.idx", struct.pack("<4sIQ", b"ELF?", 0, 2))
    box.write("places.dat", "{}")
    with box.raises(gazetteer.GazetteerError):
        gazetteer.Gazetteer(box.path())


def refuses_a_stale_index(box):
    box.write("places.idx", struct.pack("<4sIQ", b"GAZ1", 0, 99))
    box.write("places.dat", "{}")
    with box.raises(gazetteer.StaleIndex):
        gazetteer.Gazetteer(box.path())


def answers_on_the_command_line(box):
    _built(box).close()
    gazetteer.main([box.path(), "Oberau"])
    gazetteer.main([box.path(), "Nowhere"])


def explains_itself_without_an_index(box):
    gazetteer.main([box.path(), "Oberau"])
