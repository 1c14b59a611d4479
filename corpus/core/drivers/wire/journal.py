"""Calls into wire/journal.py."""

from wire import journal


def _journal(box):
    return journal.Journal(box.path("log"))


def _replica(answer):
    def handle(connection):
        while connection.recv(4096):
            connection.sendall(answer)
    return handle


def appends_and_verifies(box):
    book = _journal(box)
    path = book.append(1, [b"alpha", b"beta"])
    book.append(1, [b"gamma"])
    book.verify(path)
    book.truncate_torn(path)
    book.segments()


def leaves_headless_segments_out(box):
    book = _journal(box)
    box.write("log/00000001.seg", b"JR")
    box.write("log/notes.txt", "nothing of ours, though long enough")
    book.append(2, [b"alpha"])
    book.segments()


def refuses_an_alien_segment(box):
    book = _journal(box)
    path = box.write("log/00000001.seg", b"ELF?" + bytes(20))
    with box.raises(journal.CorruptSegment):
        book.verify(path)


def cuts_a_torn_record_off(box):
    book = _journal(box)
    path = book.append(1, [b"alpha", b"beta"])
    with open(path, "ab") as segment:
        segment.write(journal.frame(b"delta")[:-2])
    book.truncate_torn(path)


def cuts_a_torn_length_off(box):
    book = _journal(box)
    path = book.append(1, [b"alpha"])
    with open(path, "ab") as segment:
        segment.write(b"\0\0\0")
    book.truncate_torn(path)


def seals_and_digests(box):
    book = _journal(box)
    sealed = [book.seal(book.append(number, [b"alpha", b"beta"])) for number in (1, 2)]
    book.sealed_digest(sealed)


def refuses_to_seal_what_is_gone(box):
    with box.raises(FileNotFoundError):
        _journal(box).seal(box.path("log", "00000009.seg"))


def ships_to_the_replica(box):
    book = _journal(box)
    book.append(1, [b"alpha", b"beta"])
    with box.serve(_replica(b"\x06")) as (host, port):
        book.replicate(host, port)
        book.append(2, [b"gamma"])
        book.replicate(host, port)


def is_refused_by_the_replica(box):
    book = _journal(box)
    book.append(1, [b"alpha", b"beta"])
    with box.serve(_replica(b"\x15")) as (host, port):
        with box.raises(ConnectionError):
            book.replicate(host, port)


def stops_at_a_damaged_record(box):
    book = _journal(box)
    path = book.append(1, [b"alpha"])
    with open(path, "r+b") as segment:
        segment.seek(-1, 2)
        segment.write(b"?")
    with box.serve(_replica(b"\x06")) as (host, port):
        with box.raises(journal.CorruptSegment):
            book.replicate(host, port)
