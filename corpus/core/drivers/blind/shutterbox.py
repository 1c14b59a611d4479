"""Calls into blind/shutterbox.py."""

import struct
import tarfile
import zipfile

from blind import shutterbox


def _photo(when=b"2019:07:03 12:30:00\0", order=">", pixels=b"pixels"):
    """A picture that is small, and has a block with two dates."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    first = struct.pack(order + "HHHII", 2, 0x8769, 4, 1, 38) + struct.pack(order + "HHII", 0x0132, 2, 20, 80)
    second = struct.pack(order + "HHHII", 1, 0x9003, 2, 20, 60)
    tiff = (mark + struct.pack(order + "I", 8) + first).ljust(38, b"\0") + second
    return _jpeg(tiff.ljust(60, b"\0") + when.ljust(20, b"\0") * 2, pixels)


def _jpeg(tiff=None, pixels=b"pixels"):
    parts = [b"\xff\xd8\xff\xe0\x00\x06JFIF"]
    if tiff is not None:
        parts.append(b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff)
    return b"".join(parts) + b"\xff\xda\x00\x02" + pixels


def _sort(box, source, times=1):
    with box.using(shutterbox.PhotoBox(box.path("box"))) as photos:
        for _ in range(times):
            photos.sort(source)


def sorts_a_folder(box):
    box.write("in/a.jpg", _photo())
    box.write("in/more/a.JPG", _photo(pixels=b"others"))
    box.write("in/more/b.jpg", _photo())
    box.write("in/more/notes.txt", "not a photo")
    _sort(box, box.path("in"))


def sorts_a_zip_archive(box):
    with zipfile.ZipFile(box.path("in.zip"), "w") as packed:
        packed.writestr("a.jpg", _photo(order="<"))
        packed.writestr("._a.jpg", "of the finder")
        packed.writestr("b.jpg", b"\xff\xd8")
    _sort(box, box.path("in.zip"), 2)


def sorts_a_tar_archive(box):
    box.write("in/a.jpg", _photo(when=b"yesterday"))
    with tarfile.open(box.path("in.tar"), "w") as packed:
        packed.add(box.path("in"), "in")
        packed.add(box.path("in/a.jpg"), "b.jpg")
        folder = tarfile.TarInfo("c.jpg")
        folder.type = tarfile.DIRTYPE
        packed.addfile(folder)
    _sort(box, box.path("in.tar"))


def refuses_what_is_no_photo(box):
    box.write("in/a.jpg", "rubbish")
    box.write("in/b.jpg", "")
    box.write("in/c.jpg", _jpeg(b"??" + bytes(20)))
    box.write("in/d.jpg", _jpeg(b"II*\0\xff\xff\0\0"))
    box.write("in/e.jpg", b"\xff\xd8\xff\xe0\x00\x06JFIFrubbish")
    _sort(box, box.path("in"))


def finds_no_source(box):
    with box.using(shutterbox.PhotoBox(box.path("box"))) as photos:
        with box.raises(OSError):
            photos.sort(box.path("nowhere"))
        with box.raises(tarfile.TarError):
            photos.sort(box.write("rubbish.tar", "rubbish"))


def looks_at_a_photo(box):
    with box.using(shutterbox.MappedPhoto(box.write("a.jpg", _photo()))) as photo:
        photo.taken()
        box.take(photo.segments())
        list(photo.segments())


def looks_into_a_folder(box):
    box.write("in/a.jpg", "a")
    box.write("in/b/c.jpg", "b")
    with box.using(shutterbox.FolderSource(box.path("in"))) as source:
        box.take(source.photos(box.path()), 2)


def looks_into_an_archive(box):
    with zipfile.ZipFile(box.path("in.zip"), "w") as packed:
        packed.writestr("a.jpg", "a")
        packed.writestr("b.jpg", "b")
    with box.using(shutterbox.source_of(box.path("in.zip"))) as source:
        box.take(source.photos(box.path()))


def takes_a_run_back(box):
    box.write("one/a.jpg", _photo())
    with box.using(shutterbox.PhotoBox(box.path("box"))) as photos:
        photos.sort(box.path("one"))
        photos.sort(box.path("one"))
        photos.take_back()
        photos.take_back()


def is_busy(box):
    with box.using(shutterbox.PhotoBox(box.path("box"))):
        with box.raises(shutterbox.SorterBusy):
            shutterbox.PhotoBox(box.path("box"))


def is_called_from_a_shell(box):
    box.write("in/a.jpg", "rubbish")
    shutterbox.main([box.path("box"), box.path("in")])
    shutterbox.main(["--undo", box.path("box")])
    with box.raises(RuntimeError):
        with shutterbox.photo_box(box.path("box")):
            box.fail()
