"""Calls into media/contactsheet.py."""

import contextlib
import sys

from media import contactsheet

COPY = "import shutil, sys; sys.argv[1].startswith('-') or shutil.copyfile(sys.argv[1], sys.argv[2])"


def _picture(box, name="a.pgm", width=4, height=3):
    return box.write(name, b"P5\n# made\n%d %d\n255\n" % (width, height) + bytes(range(width * height)))


def makes_a_sheet(box):
    _picture(box, "in/a.pgm")
    _picture(box, "in/b.pgm", 40, 2)
    contactsheet.folder_sheet(box.path("in"), box.path("sheet.pgm"), 2, 8)


def finds_no_pictures(box):
    box.write("in/notes.txt", "none")
    box.write("in/bad.pgm", "P6\n1 1\n255\n")
    with box.raises(contactsheet.BadPicture):
        contactsheet.folder_sheet(box.path("in"), box.path("sheet.pgm"))


def refuses_damaged_ones(box):
    for content in (b"", b"P2\n1 1 255\n", b"P5\n9 9\n255\nxx"):
        with box.raises(contactsheet.BadPicture):
            contactsheet.read_graymap(box.write("odd.pgm", content))


def keeps_the_last_ones(box):
    box.write("cache/x", "")
    thumbnails = contactsheet.Thumbnails(box.path("cache"), 4)
    for number in box.rounds(26):
        path = _picture(box, "p%d.pgm" % number, 3, 1)
        thumbnails.get(path)
        thumbnails.get(path)
        thumbnails.try_get(box.path("none%d" % number))
        contactsheet.fit(number + 50, 30, 8)


def reads_the_cache_again(box):
    box.write("cache/x", "")
    path = _picture(box)
    contactsheet.Thumbnails(box.path("cache"), 4).get(path)
    thumbnails = contactsheet.Thumbnails(box.path("cache"), 4)
    thumbnails.get(path)
    thumbnails.forget(path)
    thumbnails.held()


def looks_at_pixels(box):
    picture = contactsheet.read_graymap(_picture(box))
    picture.mean
    picture.histogram


def uses_a_program(box):
    external = contactsheet.External([sys.executable, "-S", "-c", COPY])
    external.available()
    with contextlib.suppress(OSError):
        external.render(_picture(box), 8)


def asks_a_program(box):
    external = contactsheet.External(["/bin/true"])
    external.warm_up()
    external.version()


def a_program_fails(box):
    with box.raises(OSError):
        contactsheet.External(["/bin/true"]).render(_picture(box), 8)


def watches(box):
    box.write("cache/x", "")
    path = _picture(box)
    with box.using(contactsheet.Watcher(contactsheet.Thumbnails(box.path("cache"), 4))) as watcher:
        watcher.add(path)
        contactsheet.wait_for(box.path("cache", "a.pgm-4.pgm"), 1)


def waits_in_vain(box):
    contactsheet.wait_for(box.path("nothing"), 0.01)
    contactsheet.discard(box.path("nothing"))


def logs_for_a_while(box):
    for _ in box.rounds(3):
        end = contactsheet.log_to(box.path("log"))
        end()
