"""Calls into media/pixmaps.py."""

import os
import sqlite3

from media import pixmaps

SMALL = b"P5\n# a comment\n4 3 255\n" + bytes([0, 255, 0, 255] * 3)


def _printer(box, address=None):
    return pixmaps.LabelPrinter(str(box.path()), address)


def converts_a_picture(box):
    path = str(box.write("small.pgm", SMALL))
    printer = _printer(box)
    printer.is_printable(path)
    printer.spool_file(path, str(box.path("job.spool")))
    printer.crop(path, str(box.path("top.pgm")), 2)
    printer.darkness([path])


def remembers_thumbnails(box):
    path = str(box.write("small.pgm", SMALL))
    printer = _printer(box)
    printer.thumbnail(path)
    printer.thumbnail(path)
    printer.forget_thumbnails()


def refuses_a_table_that_is_none(box):
    path = str(box.write("thumbs.db", b"rubbish" * 300))
    with box.raises(sqlite3.DatabaseError):
        pixmaps.thumbnail_cache(path)


def refuses_cut_off_pictures(box):
    path = str(box.write("cut.pgm", SMALL[:-3]))
    printer = _printer(box)
    with box.raises(pixmaps.PictureError):
        printer.spool_file(path, str(box.path("job.spool")))
    with box.raises(pixmaps.PictureError):
        printer.crop(path, str(box.path("top.pgm")), 2)
    with box.raises(pixmaps.PictureError):
        printer.darkness([str(box.write("text.pgm", "P2\n"))])
    with box.raises(pixmaps.PictureError):
        printer.darkness([str(box.write("head.pgm", "P5\n4"))])


def stops_after_a_row(box):
    box.take(pixmaps.rows_of(str(box.write("small.pgm", SMALL))))


def reads_glyphs(box):
    sheet = b"GLYF\2\0\2\0" + bytes(range(16))
    first = str(box.write("a.sheet", sheet))
    with box.using(pixmaps.GlyphSheet(first)) as glyphs:
        glyphs.glyph(1)
        glyphs.replace(str(box.write("b.sheet", sheet)))
        glyphs.glyph(0)
        glyphs.close()
        glyphs.replace(first)
        glyphs.replace(first)


def refuses_other_sheets(box):
    with box.raises(pixmaps.PictureError):
        pixmaps.GlyphSheet(str(box.write("c.sheet", b"JPEG\2\0\2\0")))


def filters_a_job(box):
    path = str(box.write("job.spool", b"LBL2"))
    printer = _printer(box)
    printer.filter_through(["/bin/cat"], path)
    with box.raises(pixmaps.PrinterGone):
        printer.filter_through(["/bin/false"], path)


def prints_copies(box):
    path = str(box.write("job.spool", b"LBL2"))

    def device(connection):
        connection.sendall(b"READY\n")
        while connection.recv(100):
            pass

    with box.serve(device) as address:
        printer = _printer(box, address)
        printer.print_spooled(path, 2)
        printer.print_spooled(path, 0)


def printer_is_busy(box):
    def device(connection):
        connection.sendall(b"BUSY\n")

    with box.serve(device) as address, box.raises(pixmaps.PrinterGone):
        _printer(box, address).print_spooled("job.spool")


def spool_fails_in_the_block(box):
    with box.raises(RuntimeError), pixmaps.spooled_rows(str(box.path("job.spool"))) as add:
        add(b"\0")
        box.fail()


def hands_out_the_table(box):
    with box.using(pixmaps.thumbnail_cache(os.path.join(str(box.path()), "thumbs.db"))) as cache:
        cache.execute("SELECT count(*) FROM thumb").fetchone()
