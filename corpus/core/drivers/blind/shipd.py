"""Calls into blind/shipd.py."""

import os
from contextlib import contextmanager, suppress

from blind import shipd


def _collector(*statuses, answers_per_connection=100):
    """Says each status once, and the last one for ever."""
    queue = list(statuses)

    def handle(connection):
        with suppress(OSError), connection.makefile("rwb") as stream:
            for _ in range(answers_per_connection):
                size = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split()[1])
                if not line:
                    return
                stream.read(size)
                status = queue.pop(0) if len(queue) > 1 else queue[0]
                stream.write(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok" % status)
                stream.flush()
    return handle


@contextmanager
def _shipper(box, address, **options):
    box.write("spool/lock", "")
    shipper = shipd.Shipper(box.path("app.log"), box.path("spool"), *address, **options)
    with box.using(shipper):
        yield shipper


def ships_what_is_logged(box):
    box.write("app.log", "one\ntwo\nthr")
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()
        box.write("app.log", "one\ntwo\nthree\n")
        shipper.run_once()
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()


def fills_several_segments(box):
    box.write("app.log", "line\n" * 5)
    with box.serve(_collector(200, 404, 503)) as address:
        with _shipper(box, address, size=20) as shipper:
            shipper.run_once()


def follows_a_rotation(box):
    path = box.write("app.log", "one\n")
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()
        os.rename(path, box.path("app.log.1"))
        shipper.run_once()
        box.write("app.log", "two\n")
        shipper.run_once()


def finds_the_log_emptied(box):
    box.write("spool/bookmark", "5000\n")
    box.write("app.log", "one\n")
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()


def finds_no_log_and_a_damaged_bookmark(box):
    box.write("spool/bookmark", "rubbish")
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()


def sets_damaged_segments_aside(box):
    box.write("spool/00000001.seg", b"short")
    box.write("spool/00000002.seg", b"wrong checksum")
    box.write("app.log", "one\n")
    with box.serve(_collector(200)) as address, _shipper(box, address) as shipper:
        shipper.run_once()


def finds_the_connection_stale(box):
    box.write("app.log", "line\n" * 3)
    with box.serve(_collector(200, answers_per_connection=1)) as address:
        with _shipper(box, address, size=10) as shipper:
            shipper.run_once()


def finds_the_collector_down(box):
    box.write("app.log", "one\n")
    with box.serve(_collector(200)) as address:
        pass
    with _shipper(box, address) as shipper, box.raises(shipd.ShipError):
        shipper.run_once()


def finds_the_spool_in_use(box):
    with _shipper(box, ("127.0.0.1", 9)), box.raises(shipd.ShipError):
        shipd.Shipper(box.path("app.log"), box.path("spool"), "127.0.0.1", 9)


def closes_an_open_segment(box):
    box.write("spool/lock", "")
    with box.using(shipd.SegmentLog(str(box.path("spool")))) as segment:
        segment.append(b"one")
    lines = shipd.segment_lines(box.path("spool", "00000001.seg"))
    box.take(lines)
