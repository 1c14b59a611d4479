"""Prints where CPython's `ast` sees each node, for tests that hold other parsers against it.

    dump_ast.py --list      the version, then every module of the standard library, one path a line
    dump_ast.py < PATHS     one JSON object a line for each path: {"path": ..., "nodes": [[kind, start, end], ...]}

Offsets are bytes of the text in UTF-8, without byte order mark, with the line ends of the file.
A file that Python itself cannot read or parse gives {"path": ..., "error": ...}.
"""

import ast
import io
import json
import os
import re
import sys
import sysconfig
import tokenize
import warnings


def standard_library():
    root = sysconfig.get_paths()["stdlib"]
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(set(subfolders) - {"site-packages", "dist-packages", "__pycache__"})
        yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".py"))


def decoded(data):
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


def line_starts(text):
    """UTF-8 offset of each line; `\\n`, `\\r\\n` and `\\r` end one, as in the tokenizer."""
    starts, at = [0], 0
    for line in re.findall(r"[^\r\n]*(?:\r\n|\r|\n)", text):
        at += len(line.encode())
        starts.append(at)
    return starts


def located(text):
    starts = line_starts(text)
    for node in ast.walk(ast.parse(text)):
        if hasattr(node, "end_lineno"):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            yield type(node).__name__, start, end


def dump(path):
    try:
        with open(path, "rb") as file:
            text = decoded(file.read())
        return {"path": path, "nodes": list(located(text))}
    except (OSError, SyntaxError, ValueError, LookupError, RecursionError) as error:
        return {"path": path, "error": f"{type(error).__name__}: {error}"}


def main():
    warnings.simplefilter("ignore")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    if sys.argv[1:] == ["--list"]:
        print("{}.{}".format(*sys.version_info[:2]), *standard_library(), sep="\n")
        return
    sys.setrecursionlimit(20_000)
    for path in sys.stdin.read().splitlines():
        print(json.dumps(dump(path)))


main()
