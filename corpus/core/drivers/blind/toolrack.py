"""Calls into blind/toolrack.py."""

import os
import zipfile

from blind import toolrack

INI = "[plugin]\nname = %s\nkind = %s\nentry = %s\n"
ARROWS = """
seen = []

def activate(port):
    port.on('drawn', seen.append)
    port.on('drawn', bad)
    port.at_unload(seen.clear)

def bad(shape):
    raise ValueError(shape)

def count():
    return len(seen)
"""
ECHO = """
while read line; do
    case $line in
        *stop*) exit ;;
        *junk*) echo junk ;;
        *) echo "[1, 2]" ;;
    esac
done
"""


def _folder(box, name, kind, entry, text, at=None):
    box.write(f"plugins/{at or name}/plugin.ini", INI % (name, kind, entry))
    return os.path.dirname(box.write(f"plugins/{at or name}/{entry}", text))


def _archive(box, name, files):
    path = box.write(f"plugins/{name}.zip", "")
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def runs_scripts(box):
    with box.using(toolrack.ToolRack()) as rack:
        rack.load(_folder(box, "arrows", "script", "arrows.py", ARROWS))
        rack.events.emit("drawn", "line")
        rack.plugins["arrows"].call("count")
        rack.unload("arrows")
        rack.events.emit("drawn", "line")


def runs_a_program_out_of_an_archive(box):
    path = _archive(box, "echo", {"plugin.ini": INI % ("echo", "program", "echo.sh"), "echo.sh": ECHO})
    with box.using(toolrack.ToolRack()) as rack:
        rack.load(path)
        rack.plugins["echo"].call("area", 1, 2)
        rack.plugins["echo"].call("area", 1, 2)


def starts_a_program_again(box):
    with box.using(toolrack.ToolRack()) as rack:
        rack.load(_folder(box, "echo", "program", "echo.sh", ECHO))
        for request, error in ("stop", toolrack.RackError), ("junk", ValueError):
            with box.raises(error):
                rack.plugins["echo"].call(request)
        rack.plugins["echo"].call("area")


def insists_on_the_end_of_a_program(box):
    toolrack.GRACE = 0.005
    with box.using(toolrack.ToolRack()) as rack:
        rack.load(_folder(box, "deaf", "program", "deaf.sh", "read line; echo 1; exec sleep 5"))
        rack.plugins["deaf"].call("area")


def loads_a_folder(box):
    _folder(box, "arrows", "script", "arrows.py", ARROWS)
    _archive(box, "echo", {"plugin.ini": INI % ("echo", "program", "echo.sh"), "echo.sh": ECHO})
    _folder(box, "arrows", "script", "arrows.py", ARROWS, at="twice")
    box.write("plugins/readme.txt", "plugins")
    box.write("plugins/bad.zip", "no archive")
    with toolrack.editing(box.path("plugins")) as rack:
        rack.events.emit("drawn", "line")


def has_a_body_that_fails(box):
    _folder(box, "arrows", "script", "arrows.py", ARROWS)
    with box.raises(Exception):
        with toolrack.editing(box.path("plugins")):
            box.fail()


def refuses_plugins(box):
    with box.using(toolrack.ToolRack()) as rack:
        for path in (
            _folder(box, "odd", "macro", "odd.py", ""),
            _archive(box, "up", {"../up.py": ""}),
            _archive(box, "bare", {"readme": ""}),
        ):
            with box.raises(toolrack.RackError):
                rack.load(path)


def has_scripts_that_fail(box):
    with box.using(toolrack.ToolRack()) as rack:
        with box.raises(ZeroDivisionError):
            rack.load(_folder(box, "wrong", "script", "wrong.py", ARROWS + "\n1 / 0\n"))
        with box.raises(AttributeError):
            rack.load(_folder(box, "none", "script", "none.py", "x = 1\n"))


def undoes_what_a_script_did(box):
    with box.using(toolrack.ToolRack()) as rack:
        rack.load(_folder(box, "late", "script", "late.py", "def activate(port):\n    port.at_unload(int, 'x')\n"))
        rack.load(_folder(box, "arrows", "script", "arrows.py", ARROWS))
        with box.raises(ValueError):
            rack.close()


def shares_shapes(box):
    first, second = box.write("a.shapes", "circle"), box.write("b.shapes", "square")
    with box.using(toolrack.ShapeCache(idle=1)) as shapes:
        for path in (first, first, second):
            shapes.get(path)
        for path in (first, first, second):
            shapes.put(path)
        shapes.get(second)
        shapes.put(second)
        shapes.get(first)


class _Canvas:
    def draw(self, shape):
        return shape


def forgets_who_is_gone(box):
    port = toolrack.EventPort()
    canvas = _Canvas()
    port.connect("drawn", canvas.draw)
    port.emit("drawn", 1)
    del canvas
    port.emit("drawn", 2)


def goes_through_many_shapes(box):
    with box.using(toolrack.ShapeCache(idle=3)) as shapes:
        for number in box.rounds(6):
            path = box.write(f"{number}.shapes", "circle")
            shapes.get(path)
            shapes.put(path)


def loads_again_and_again(box):
    path = _folder(box, "arrows", "script", "arrows.py", ARROWS)
    with box.using(toolrack.ToolRack()) as rack:
        for _ in box.rounds(3):
            rack.load(path)
            rack.events.emit("drawn", "line")
            rack.unload("arrows")
