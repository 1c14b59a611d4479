"""Calls into blind/recpack.py."""

from pathlib import Path

from blind import recpack


def _pack(box, name="a.rpk", compress=False, **records):
    with box.using(recpack.Writer(box.path(name), compress)) as writer:
        for key, data in (records or {"x": b"1", "y": b"two" * 50}).items():
            writer.add(key, data)
    return box.path(name)


def writes_and_reads(box):
    path = _pack(box)
    with box.using(recpack.Reader(path)) as reader:
        len(reader)
        for key in reader:
            reader[key]
        reader.verify()
        reader.extract(box.path("out"))
    recpack.checksum(path)


def writes_and_reads_compressed(box):
    source = box.write("file.bin", b"content" * 100)
    with box.using(recpack.Writer(box.path("c.rpk"), compress=True)) as writer:
        writer.add("x", b"1")
        writer.add_file("deep/file", source)
    with box.using(recpack.Reader(box.path("c.rpk"))) as reader:
        reader.extract(box.path("out"))


def gives_up_writing(box):
    with box.using(recpack.Writer(box.path("a.rpk"))) as writer:
        writer.add("x", b"1")
        with box.raises(recpack.PackError):
            writer.add("x", b"2")
        writer.abort()
        writer.close()


def writes_where_a_folder_is(box):
    box.write("a.rpk/file", "in the way")
    writer = recpack.Writer(box.path("a.rpk"))
    with box.raises(OSError):
        writer.close()


def writes_where_no_folder_is(box):
    with box.raises(OSError):
        recpack.Writer(box.path("missing", "a.rpk"))


def packs_a_tree(box):
    box.write("tree/one", "1")
    box.write("tree/deep/two", "2")
    recpack.pack_tree(box.path("tree"), box.path("tree.rpk"))


def packs_a_tree_that_is_not_there(box):
    with box.raises(OSError):
        recpack.pack_tree(box.path("missing"), box.path("tree.rpk"))


def refuses_damaged_packs(box):
    content = Path(_pack(box)).read_bytes()
    for damaged in (b"", b"NOPE" + content[4:], content[:-3]):
        with box.raises(recpack.PackError):
            recpack.Reader(box.write("b.rpk", damaged))


def finds_damaged_records(box):
    content = Path(_pack(box)).read_bytes()
    with box.using(recpack.Reader(box.write("b.rpk", content.replace(b"twotwo", b"twoTWO", 1)))) as reader:
        reader.verify()
        with box.raises(recpack.PackError):
            reader.extract(box.path("out"))


def refuses_keys_outside(box):
    path = _pack(box, **{"../x": b"1"})
    with box.using(recpack.Reader(path)) as reader, box.raises(recpack.PackError):
        reader.extract(box.path("out"))


def reads_several_packs_as_one(box):
    paths = [_pack(box, "a.rpk"), _pack(box, "b.rpk", x=b"newer", z=b"3")]
    with box.using(recpack.PackSet(paths)) as packs:
        packs.get("x")
        packs.get("nothing")
        packs.merge(box.path("merged.rpk"), compress=True)


def finds_one_of_several_damaged(box):
    paths = [_pack(box), box.write("b.rpk", "x" * 100)]
    with box.raises(recpack.PackError):
        recpack.PackSet(paths)
