"""Answers jobs, a line of JSON each, from stdin to stdout. Stays warm: modules are imported once, and each job is forked off."""

import ast
import importlib
import json
import signal
import sys

import child
import examine
import mutant
import runtime

# Most modules of a corpus want some of these.
COMMON = """
    abc argparse array asyncio base64 bz2 codecs collections concurrent.futures configparser contextlib copy csv dataclasses datetime decimal email
    email.message email.policy enum errno fcntl fileinput ftplib functools gzip hashlib heapq hmac html http.client http.server imaplib io itertools json
    logging logging.handlers lzma mailbox math mmap multiprocessing os pathlib pickle poplib queue random re sched secrets select selectors shelve shlex
    shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string struct subprocess sys tarfile tempfile textwrap threading time traceback
    types typing unicodedata unittest urllib.error urllib.parse urllib.request uuid warnings wave weakref xml.etree.ElementTree zipfile zlib
""".split()


def warm(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            pass  # whoever needs it will hear it


def _imported(text):
    """Standard modules that a module imports; only these may run outside of a forked child."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        else:
            continue
        for name in names:
            if name.split(".")[0] in sys.stdlib_module_names - {"antigravity", "this", "idlelib", "turtle"}:
                yield name


def _answer(job, warmed):
    if job["module"] not in warmed:
        warmed.add(job["module"])
        warm(_imported(job["text"]))
        warm(_imported(job["driver"]))
    runtime.compile_ahead(job)
    if job["kind"] == "clean":
        return child.in_child(lambda: examine.clean_report(job), examine.broken, job["patience"], _beat)
    return child.in_child(lambda: mutant.mutant_report(job), _mutant_broken, job["patience"], _beat)


def _mutant_broken(reason):
    if reason == child.TIMEOUT:
        return mutant.answer("not-exercised", reason=reason)
    return mutant.broken(reason)


def _beat():
    """Says that work goes on; fails, and ends all, if nobody listens any more."""
    print(flush=True)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides when to stop
    sys.path.pop(0)  # the harness itself is nobody else's library
    warm(COMMON)
    warmed = set()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), warmed)), flush=True)


if __name__ == "__main__":
    main()
